"""A real PowerShell behind the listener of a simulated device: processes that serve shells, and the device's commands in them."""
