"""The embedded engine: a NoLanguage runspace that binds parameters and runs commands as PowerShell does."""
