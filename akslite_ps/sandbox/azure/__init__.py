"""The simulated Azure side of a sandbox: tenants, service principals, resource groups, Arc-enabled clusters."""
