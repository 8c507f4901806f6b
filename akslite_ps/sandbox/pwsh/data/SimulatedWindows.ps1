# What a session on a simulated device must have besides commands: its drive, its registry, its rights, its network.
#
# Stands at the top of the generated module AksLite.SimulatedWindows. Our device-side module reads the registry and the network
# through .NET classes, which no function can stand for; classes under the same names do, for scripts of this process.

Set-StrictMode -Version 3.0

$script:OnWindows = [System.Environment]::OSVersion.Platform -eq [System.PlatformID]::Win32NT

function Read-SimulatedRegistry {
    [CmdletBinding(PositionalBinding = $false)]
    param([Parameter(Mandatory = $true)] [string] $Key)

    Invoke-SimulatedCommand -Caller $PSCmdlet -Bound $PSBoundParameters
}

function Read-SimulatedDownload {
    [CmdletBinding(PositionalBinding = $false)]
    param([Parameter(Mandatory = $true)] [string] $Address)

    Invoke-SimulatedCommand -Caller $PSCmdlet -Bound $PSBoundParameters
}

function ConvertTo-MachinePath {
    # On Windows C: is this machine's own drive, so a path of the device is told as the place where it really is.
    param([object] $Value)

    if (-not $script:OnWindows -or $Value -isnot [string] -or $Value -notlike 'C:\*') { return , $Value }
    [System.IO.Path]::Combine($env:AKSLITE_SANDBOX_DRIVE, $Value.Substring(3))
}

class SimulatedRegistryKey : System.IDisposable {
    hidden [string] $Path
    hidden [object] $Content

    SimulatedRegistryKey([string] $path, [object] $content) {
        $this.Path = $path
        $this.Content = $content
    }

    static [SimulatedRegistryKey] OpenBaseKey([object] $hive, [object] $view) {
        if ("$hive" -ne 'LocalMachine') { throw [System.NotSupportedException]::new("a simulated device has no registry hive $hive") }
        return [SimulatedRegistryKey]::new('', $null)
    }

    [SimulatedRegistryKey] OpenSubKey([string] $name) {
        $whole = if ($this.Path) { "$($this.Path)\$name" } else { $name }
        $found = Read-SimulatedRegistry -Key $whole
        if ($null -eq $found) { return $null }
        return [SimulatedRegistryKey]::new($whole, $found)
    }

    [object] GetValue([string] $name) {
        if ($null -eq $this.Content) { return $null }
        return ConvertTo-MachinePath $this.Content.Values[$name]
    }

    [string[]] GetSubKeyNames() {
        if ($null -eq $this.Content) { return @() }
        return [string[]] $this.Content.SubKeys
    }

    [string[]] GetValueNames() {
        if ($null -eq $this.Content) { return @() }
        return [string[]] @($this.Content.Values.Keys)
    }

    [void] Close() { }
    [void] Dispose() { }
}

class SimulatedIdentity {
    [string] $Name = "$env:COMPUTERNAME\$env:USERNAME"

    static [SimulatedIdentity] GetCurrent() { return [SimulatedIdentity]::new() }
}

class SimulatedPrincipal {
    # Who opens this session on a device is one of its administrators.
    SimulatedPrincipal([object] $identity) { }

    [bool] IsInRole([object] $role) { return $true }
}

class SimulatedWebResponse {
    [int] $StatusCode = 200
    [hashtable] $Headers = @{}
    [long] $ContentLength
    hidden [byte[]] $Content

    SimulatedWebResponse([byte[]] $content) {
        $this.Content = $content
        $this.ContentLength = $content.Length
    }

    [System.IO.Stream] GetResponseStream() { return [System.IO.MemoryStream]::new($this.Content) }
    [void] Close() { }
    [void] Dispose() { }
}

class SimulatedHttpWebRequest {
    [uri] $Address
    [bool] $AllowAutoRedirect = $true
    [int] $Timeout = 100000
    [int] $ReadWriteTimeout = 300000

    SimulatedHttpWebRequest([uri] $address) { $this.Address = $address }

    [SimulatedWebResponse] GetResponse() {
        $found = Read-SimulatedDownload -Address $this.Address.AbsoluteUri
        if ($found -is [string]) { throw [System.Net.WebException]::new($found) }
        return [SimulatedWebResponse]::new([byte[]] $found)
    }
}

class SimulatedWebRequest {
    static [SimulatedHttpWebRequest] Create([uri] $address) { return [SimulatedHttpWebRequest]::new($address) }
    static [SimulatedHttpWebRequest] CreateHttp([uri] $address) { return [SimulatedHttpWebRequest]::new($address) }
}

function Use-SimulatedType {
    # Scripts that name a .NET class get ours from now on.
    param([string] $Name, [type] $Type)

    $accelerators = [psobject].Assembly.GetType('System.Management.Automation.TypeAccelerators')
    $null = $accelerators::Remove($Name)
    $accelerators::Add($Name, $Type)
}

Use-SimulatedType 'Microsoft.Win32.RegistryKey' ([SimulatedRegistryKey])
Use-SimulatedType 'System.Net.WebRequest' ([SimulatedWebRequest])
Use-SimulatedType 'System.Net.HttpWebRequest' ([SimulatedHttpWebRequest])
Use-SimulatedType 'System.Security.Principal.WindowsPrincipal' ([SimulatedPrincipal])
if ($PSVersionTable.PSEdition -eq 'Core' -and -not $PSVersionTable.ContainsKey('SimulatedBy')) {
    # The session stands for one of Windows PowerShell, which is what checks ask for; what really runs it is told beside that.
    $PSVersionTable.SimulatedBy = "PowerShell $($PSVersionTable.PSVersion)"
    $PSVersionTable.PSVersion = [version] $env:AKSLITE_SANDBOX_PSVERSION
    $PSVersionTable.PSEdition = 'Desktop'
}
if (-not $script:OnWindows) {
    Use-SimulatedType 'System.Security.Principal.WindowsIdentity' ([SimulatedIdentity])
    $files = $ExecutionContext.SessionState.Provider.GetOne('FileSystem')
    $drive = [System.Management.Automation.PSDriveInfo]::new('C', $files, $env:AKSLITE_SANDBOX_DRIVE, 'The device''s drive', $null)
    if (@($ExecutionContext.SessionState.Drive.GetAll()).Name -notcontains 'C') {
        $null = $ExecutionContext.SessionState.Drive.New($drive, 'Global')
    }
    $null = $ExecutionContext.SessionState.Path.SetLocation("C:\Users\$env:USERNAME\Documents")
}
