# What akslite-ps needs on a device besides the product's own cmdlets.
#
# Runs in Windows PowerShell 5.1. On a restricted (JEA) endpoint these functions are the trust boundary: they run in
# full language for callers who have none. So every parameter is validated, every command is called by its module's
# or file's full name, and no text is ever turned into code.

Set-StrictMode -Version 3.0

$script:HostFeatures = 'Microsoft-Hyper-V', 'Microsoft-Hyper-V-Management-PowerShell', 'Microsoft-Hyper-V-Hypervisor'
$script:OpenSshCapability = 'OpenSSH.Client~~~~0.0.1.0'
$script:UninstallKey = 'SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall'
$script:IsWindowsHost = $env:OS -eq 'Windows_NT'
$script:WindowsActivation = '55c92734-d682-4d71-983e-d6ec3f16059f'
$script:MegabytesPerProgress = 4
$script:AzureAddresses = 'https://login.microsoftonline.com', 'https://management.azure.com', 'https://mcr.microsoft.com'
# Microsoft's scripts work in the first folder. The product keeps its data in the second; whether a config with its
# secrets is among it is not documented.
$script:ConfigFolders = 'C:\AksEdgeScript', 'C:\ProgramData\AksEdge'
# Documented for staged updates, though the product's own folder is written without a hyphen.
$script:UpdateFolder = [System.IO.Path]::Combine("$env:ProgramFiles", 'AKS-Edge')
$script:ExposureGroup = 'akslite-ps'
$script:ConfigSecret = '(?i)("(?:ClientSecret|Password)"\s*:\s*")(?:[^"\\]|\\.)+(")'

# -- shared by the functions below ----------------------------------------------------------------------------------

function New-Fault {
    # An error record with an id that the caller's side knows.
    param([string] $Message, [string] $Id, [string] $Category = 'InvalidOperation', [object] $Target = $null)

    $exception = [System.InvalidOperationException]::new($Message)
    [System.Management.Automation.ErrorRecord]::new($exception, $Id, $Category, $Target)
}

function Read-Fact {
    # One fact, or the default where this host does not tell it.
    param([scriptblock] $Reader, [object] $Default = $null)

    $fact = $null
    try { $fact = & $Reader }
    catch { Microsoft.PowerShell.Utility\Write-Verbose "a fact could not be read: $($_.Exception.Message)" }
    if ($null -eq $fact) { $Default } else { $fact }
}

function Read-List {
    # What a reader gives, as a list: empty where it gives nothing, null where it cannot be read.
    param([scriptblock] $Reader)

    try { , [string[]] @(& $Reader) }
    catch {
        Microsoft.PowerShell.Utility\Write-Verbose "a list could not be read: $($_.Exception.Message)"
        $null
    }
}

function Open-MachineKey {
    # A key of the machine's registry as 64-bit programs see it, or nothing.
    param([string] $Path)

    $machine = [Microsoft.Win32.RegistryKey]::OpenBaseKey('LocalMachine', 'Registry64')
    try { $machine.OpenSubKey($Path) } finally { $machine.Dispose() }
}

function Read-RegistryValue {
    param([string] $Path, [string] $Name)

    $key = Open-MachineKey $Path
    if ($key) {
        try { $key.GetValue($Name) } finally { $key.Dispose() }
    }
}

function Get-SystemTool {
    # Full path of a program of Windows, never one found on PATH.
    param([string] $Name)

    [System.IO.Path]::Combine($env:windir, 'System32', $Name)
}

function New-WorkFolder {
    # A new folder that only administrators, SYSTEM and the caller can open. Below the Windows folder, because
    # elsewhere an unprivileged user could have made the parent first and would own what is put into it.
    $base = if ($env:windir) { [System.IO.Path]::Combine($env:windir, 'AksLiteTemp') } else { [System.IO.Path]::GetTempPath() }
    $path = [System.IO.Path]::Combine($base, [guid]::NewGuid().ToString('N'))
    $null = [System.IO.Directory]::CreateDirectory($path)
    if ($script:IsWindowsHost) {
        $acl = [System.Security.AccessControl.DirectorySecurity]::new()
        $acl.SetAccessRuleProtection($true, $false)
        $caller = [System.Security.Principal.WindowsIdentity]::GetCurrent().User
        foreach ($identity in $caller, [System.Security.Principal.SecurityIdentifier]'S-1-5-18', [System.Security.Principal.SecurityIdentifier]'S-1-5-32-544') {
            $acl.AddAccessRule([System.Security.AccessControl.FileSystemAccessRule]::new(
                    $identity, 'FullControl', 'ContainerInherit, ObjectInherit', 'None', 'Allow'))
        }
        Microsoft.PowerShell.Security\Set-Acl -LiteralPath $path -AclObject $acl -ErrorAction Stop
    }
    $path
}

function Remove-WorkFolder {
    param([string] $Path)

    if ($Path -and [System.IO.Directory]::Exists($Path)) {
        Microsoft.PowerShell.Management\Remove-Item -LiteralPath $Path -Recurse -Force -ErrorAction SilentlyContinue
    }
}

function Enable-Tls12 {
    # Older systems do not offer it by themselves.
    $tls12 = [System.Net.SecurityProtocolType] 3072
    [System.Net.ServicePointManager]::SecurityProtocol = [System.Net.ServicePointManager]::SecurityProtocol -bor $tls12
}

# -- facts ----------------------------------------------------------------------------------------------------------

function Get-PendingRebootReason {
    $markers = [ordered]@{
        'component servicing' = 'SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\RebootPending'
        'Windows Update'      = 'SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update\RebootRequired'
    }
    foreach ($reason in $markers.Keys) {
        if (Read-Fact { Open-MachineKey $markers[$reason] }) { $reason }
    }
    $names = 'SYSTEM\CurrentControlSet\Control\ComputerName'
    if (Read-Fact { Read-RegistryValue 'SYSTEM\CurrentControlSet\Control\Session Manager' 'PendingFileRenameOperations' }) { 'file renames' }
    $active = Read-Fact { Read-RegistryValue "$names\ActiveComputerName" 'ComputerName' }
    $next = Read-Fact { Read-RegistryValue "$names\ComputerName" 'ComputerName' }
    if ($active -and $next -and $active -ne $next) { 'computer name' }
}

function Get-FeatureState {
    # Names and states of the host features; one that this edition does not have is left out.
    $states = @{}
    foreach ($name in $script:HostFeatures) {
        $feature = Read-Fact { Dism\Get-WindowsOptionalFeature -Online -FeatureName $name -ErrorAction Stop }
        if ($feature) { $states[$name] = $feature.State.ToString() }
    }
    $states
}

function Get-OpenSshState {
    $capability = Read-Fact { Dism\Get-WindowsCapability -Online -Name 'OpenSSH.Client*' -LimitAccess -ErrorAction Stop }
    if ($capability) { return @($capability)[0].State.ToString() }
    if (-not $script:IsWindowsHost) { return $null }
    if ([System.IO.File]::Exists((Get-SystemTool 'OpenSSH\ssh.exe'))) { 'Installed' } else { 'NotPresent' }
}

function Get-InstalledProduct {
    # Name, version and folder of the installed product, or nothing.
    $products = Open-MachineKey $script:UninstallKey
    if (-not $products) { return }
    try {
        foreach ($id in $products.GetSubKeyNames()) {
            $entry = $products.OpenSubKey($id)
            if (-not $entry) { continue }
            try {
                $name = [string] $entry.GetValue('DisplayName')
                if ($name -notmatch '^AKS Edge Essentials - (K[38]s)') { continue }
                $folder = [string] $entry.GetValue('InstallLocation')
                return [pscustomobject]@{
                    Id           = $id
                    Name         = $name
                    Version      = [string] $entry.GetValue('DisplayVersion')
                    Distribution = $Matches[1]
                    Folder       = if ($folder) { $folder.TrimEnd('\') } else { [System.IO.Path]::Combine($env:ProgramFiles, 'AksEdge') }
                }
            }
            finally { $entry.Dispose() }
        }
    }
    finally { $products.Dispose() }
}

function Find-NodeDisk {
    # The virtual disk of a Linux node below a folder, or nothing.
    param([string] $Folder)

    if ($Folder -and [System.IO.Directory]::Exists($Folder)) {
        [System.IO.Directory]::GetFiles($Folder, '*ledge.vhdx', [System.IO.SearchOption]::AllDirectories)
    }
}

function Test-Deployment {
    param([object] $Product, [string[]] $NodeDisks)

    # A deployment that broke off leaves node disks of which the product itself says that there is no deployment.
    if (-not $Product) { return $false }
    if ($NodeDisks) { return $true }
    Read-Fact { [bool] (AksEdge\Test-AksEdgeDeployment -ErrorAction Stop) } -Default $false
}

function Get-SessionLanguageMode {
    # The language of the session that called, not of this module, which always has the full one.
    $mode = Read-Fact { [System.Management.Automation.Runspaces.Runspace]::DefaultRunspace.SessionStateProxy.LanguageMode }
    if ($null -eq $mode) {
        $mode = Read-Fact { [System.Management.Automation.Runspaces.Runspace]::DefaultRunspace.InitialSessionState.LanguageMode }
    }
    if ($null -ne $mode) { $mode.ToString() } else { $null }
}

function Test-Elevation {
    $principal = [System.Security.Principal.WindowsPrincipal]::new([System.Security.Principal.WindowsIdentity]::GetCurrent())
    $principal.IsInRole([System.Security.Principal.WindowsBuiltInRole]::Administrator)
}

function Test-Activation {
    $filter = "ApplicationID='$script:WindowsActivation' AND PartialProductKey IS NOT NULL"
    $licences = CimCmdlets\Get-CimInstance -ClassName SoftwareLicensingProduct -Filter $filter -Property LicenseStatus -ErrorAction Stop
    $licensed = 1
    foreach ($licence in $licences) { if ($licence.LicenseStatus -eq $licensed) { return $true } }
    $false
}

function Get-AksLiteFacts {
    <#
    .SYNOPSIS
    Tells what this Windows host is and has: system, hardware, features, product, pending reboot.
    .OUTPUTS
    One object. A fact that cannot be read is null.
    #>
    [CmdletBinding(PositionalBinding = $false)]
    param()

    $system = Read-Fact { CimCmdlets\Get-CimInstance -ClassName Win32_OperatingSystem -ErrorAction Stop }
    $computer = Read-Fact { CimCmdlets\Get-CimInstance -ClassName Win32_ComputerSystem -ErrorAction Stop }
    $processors = @(Read-Fact { CimCmdlets\Get-CimInstance -ClassName Win32_Processor -ErrorAction Stop })
    $adapters = @(Read-Fact { CimCmdlets\Get-CimInstance -ClassName Win32_NetworkAdapterConfiguration -Filter 'IPEnabled=TRUE' -ErrorAction Stop })
    $disk = Read-Fact { CimCmdlets\Get-CimInstance -ClassName Win32_LogicalDisk -Filter "DeviceID='$env:SystemDrive'" -ErrorAction Stop }
    $windows = 'SOFTWARE\Microsoft\Windows NT\CurrentVersion'
    $hypervisor = Read-Fact { [bool] $computer.HypervisorPresent }
    $features = Get-FeatureState
    $reasons = @(Get-PendingRebootReason)
    if ($features.Values -contains 'EnablePending') { $reasons += 'Windows features' }
    $product = Read-Fact { Get-InstalledProduct }
    $productName, $productVersion, $distribution, $folder = $null, $null, $null, $null
    if ($product) {
        $productName, $productVersion = $product.Name, $product.Version
        $distribution, $folder = $product.Distribution, $product.Folder
    }
    $nodeDisks = @(Read-Fact { Find-NodeDisk $folder })

    $gateway = $null
    $addresses = @()
    foreach ($adapter in $adapters) {
        if (-not $adapter) { continue }
        foreach ($address in @($adapter.IPAddress)) { if ($address -match '^\d+(\.\d+){3}$') { $addresses += $address } }
        foreach ($router in @($adapter.DefaultIPGateway)) {
            if (-not $gateway -and $router -match '^\d+(\.\d+){3}$' -and $router -ne '0.0.0.0') { $gateway = $router }
        }
    }

    [pscustomobject]@{
        ComputerName                  = Read-Fact { $system.CSName } -Default ([System.Environment]::MachineName)
        OsCaption                     = Read-Fact { $system.Caption }
        OsEdition                     = Read-Fact { Read-RegistryValue $windows 'EditionID' }
        OsVersion                     = Read-Fact { $system.Version }
        OsBuild                       = Read-Fact { [int] $system.BuildNumber }
        OsInstallationType            = Read-Fact { (Read-RegistryValue $windows 'InstallationType') -replace '^Server.*', 'Server' }
        # A system without cultures has one without a name.
        UiLanguage                    = Read-Fact { $culture = [System.Globalization.CultureInfo]::InstalledUICulture.Name; if ($culture) { $culture } }
        Architecture                  = $env:PROCESSOR_ARCHITECTURE
        LogicalProcessors             = Read-Fact { [int] $computer.NumberOfLogicalProcessors }
        TotalMemoryMB                 = Read-Fact { [int] [math]::Round($computer.TotalPhysicalMemory / 1MB) }
        FreeMemoryMB                  = Read-Fact { [int] [math]::Floor($system.FreePhysicalMemory / 1KB) }
        SystemDrive                   = $env:SystemDrive
        FreeDiskGB                    = Read-Fact { [double] [math]::Round($disk.FreeSpace / 1GB, 1) }
        # Under a hypervisor the processor no longer reports the firmware's setting, which then must have been on.
        VirtualizationFirmwareEnabled = Read-Fact { $hypervisor -or ($processors.VirtualizationFirmwareEnabled -contains $true) }
        HypervisorPresent             = $hypervisor
        DefaultGateway                = $gateway
        Ip4Addresses                  = [string[]] $addresses
        BootTime                      = Read-Fact { $system.LastBootUpTime.ToUniversalTime() }
        LocalTime                     = [datetime]::Now
        PendingReboot                 = $reasons.Count -gt 0
        PendingRebootReasons          = [string[]] $reasons
        HostFeatures                  = $features
        OpenSshClient                 = Get-OpenSshState
        PowerShellVersion             = $PSVersionTable.PSVersion.ToString()
        LanguageMode                  = Get-SessionLanguageMode
        ProductName                   = $productName
        ProductVersion                = $productVersion
        Distribution                  = $distribution
        DeploymentExists              = Test-Deployment $product $nodeDisks
        InstallDir                    = $folder
        VhdxDir                       = if ($nodeDisks) { [System.IO.Path]::GetDirectoryName($nodeDisks[0]) } else { $folder }
        IsElevated                    = Read-Fact { Test-Elevation }
        Activated                     = Read-Fact { Test-Activation }
    }
}

function Get-AksLiteBootTime {
    <#
    .SYNOPSIS
    Tells when Windows started last, in UTC.
    #>
    [CmdletBinding(PositionalBinding = $false)]
    [OutputType([datetime])]
    param()

    $system = CimCmdlets\Get-CimInstance -ClassName Win32_OperatingSystem -Property LastBootUpTime -ErrorAction Stop
    $system.LastBootUpTime.ToUniversalTime()
}

# -- host features --------------------------------------------------------------------------------------------------

function Enable-AksLiteHostFeatures {
    <#
    .SYNOPSIS
    Switches on the Hyper-V features and the OpenSSH client and switches sleep off, without restarting.
    .OUTPUTS
    Changed (names of what was switched on) and RebootRequired.
    #>
    [CmdletBinding(PositionalBinding = $false)]
    param()

    $activity = 'Enabling host features'
    $changed = @()
    $reboot = $false
    $done = 0
    $total = $script:HostFeatures.Count + 2
    $states = Get-FeatureState
    foreach ($name in $script:HostFeatures) {
        Microsoft.PowerShell.Utility\Write-Progress -Activity $activity -Status $name -PercentComplete (100 * $done / $total)
        $done += 1
        if (-not $states.ContainsKey($name) -or $states[$name] -eq 'Enabled') { continue }
        if ($states[$name] -eq 'EnablePending') { $reboot = $true; continue }
        $result = Dism\Enable-WindowsOptionalFeature -Online -FeatureName $name -All -NoRestart -WarningAction SilentlyContinue -ErrorAction Stop
        $changed += $name
        if ($result.RestartNeeded) { $reboot = $true }
    }

    Microsoft.PowerShell.Utility\Write-Progress -Activity $activity -Status 'OpenSSH client' -PercentComplete (100 * $done / $total)
    $fault = $null
    if ((Get-OpenSshState) -ne 'Installed') {
        try {
            $result = Dism\Add-WindowsCapability -Online -Name $script:OpenSshCapability -ErrorAction Stop
            $changed += 'OpenSSH.Client'
            if ($result.RestartNeeded) { $reboot = $true }
        }
        catch {
            $fault = New-Fault "the OpenSSH client could not be added ($($_.Exception.Message)); offline it needs a features-on-demand source" 'OpenSshClientMissing' 'ResourceUnavailable'
        }
    }

    Microsoft.PowerShell.Utility\Write-Progress -Activity $activity -Status 'Power settings' -PercentComplete (100 * ($total - 1) / $total)
    foreach ($setting in 'standby-timeout-ac', 'standby-timeout-dc', 'hibernate-timeout-ac', 'hibernate-timeout-dc') {
        $null = & (Get-SystemTool 'powercfg.exe') '/change' $setting '0'
    }
    Microsoft.PowerShell.Utility\Write-Progress -Activity $activity -Completed

    [pscustomobject]@{ Changed = [string[]] $changed; RebootRequired = $reboot }
    if ($fault) { $PSCmdlet.WriteError($fault) }
}

# -- installation ---------------------------------------------------------------------------------------------------

function Open-Download {
    # The response of an https address. Redirections are followed here, so that none can lead to plain http.
    param([uri] $Address)

    Enable-Tls12
    foreach ($hop in 1..10) {
        if ($Address.Scheme -ne 'https') { throw (New-Fault "the address leads to $($Address.Scheme), which is not protected" 'InsecureAddress' 'SecurityError') }
        $request = [System.Net.HttpWebRequest] [System.Net.WebRequest]::Create($Address)
        $request.AllowAutoRedirect = $false
        $request.Timeout = 60000
        $request.ReadWriteTimeout = 60000
        $response = $request.GetResponse()
        if ([int] $response.StatusCode -lt 300) { return $response }
        $next = $response.Headers['Location']
        $response.Close()
        if (-not $next) { throw (New-Fault "the server answered $([int] $response.StatusCode) and no address" 'DownloadFailed' 'ConnectionError') }
        $Address = [uri]::new($Address, $next)
    }
    throw (New-Fault 'the address redirects in a circle' 'DownloadFailed' 'ConnectionError')
}

function Copy-Stream {
    # Copies with progress and returns the SHA-256 of what was copied, in lower case.
    param([System.IO.Stream] $From, [string] $Path, [long] $Length, [string] $Activity)

    $hash = [System.Security.Cryptography.SHA256]::Create()
    $target = [System.IO.File]::Create($Path)
    try {
        $buffer = [byte[]]::new(1MB)
        [long] $done = 0
        [long] $shown = 0
        while (($count = $From.Read($buffer, 0, $buffer.Length)) -gt 0) {
            $target.Write($buffer, 0, $count)
            $null = $hash.TransformBlock($buffer, 0, $count, $null, 0)
            $done += $count
            if ($done - $shown -ge $script:MegabytesPerProgress * 1MB) {
                $shown = $done
                $progress = @{ Activity = $Activity; Status = '{0:n0} MB' -f ($done / 1MB) }
                if ($Length -gt 0) {
                    $progress.Status = '{0:n0} of {1:n0} MB' -f ($done / 1MB), ($Length / 1MB)
                    $progress.PercentComplete = [math]::Min(100, [int] (100 * $done / $Length))
                }
                Microsoft.PowerShell.Utility\Write-Progress @progress
            }
        }
        $null = $hash.TransformFinalBlock([byte[]]::new(0), 0, 0)
        Microsoft.PowerShell.Utility\Write-Progress -Activity $Activity -Completed
        if ($Length -gt 0 -and $done -ne $Length) {
            throw (New-Fault "only $done of $Length bytes arrived" 'DownloadIncomplete' 'ConnectionError')
        }
        ([System.BitConverter]::ToString($hash.Hash) -replace '-', '').ToLowerInvariant()
    }
    finally {
        $target.Dispose()
        $hash.Dispose()
    }
}

function Save-Installer {
    # Brings the installer into a folder; returns its path and SHA-256.
    param([string] $Source, [string] $Folder, [string] $Sha256)

    $path = [System.IO.Path]::Combine($Folder, 'AksEdge.msi')
    if ($Source -match '^https:') {
        $response = Open-Download ([uri] $Source)
        try { $actual = Copy-Stream $response.GetResponseStream() $path $response.ContentLength 'Downloading the installer' }
        finally { $response.Close() }
    }
    else {
        $stream = [System.IO.File]::OpenRead($Source)
        try { $actual = Copy-Stream $stream $path $stream.Length 'Copying the installer' }
        finally { $stream.Dispose() }
    }
    if ($Sha256 -and $actual -ne $Sha256.ToLowerInvariant()) {
        throw (New-Fault "the installer's SHA-256 is $actual, not $($Sha256.ToLowerInvariant())" 'ChecksumMismatch' 'SecurityError')
    }
    $head = [byte[]]::new(8)
    $file = [System.IO.File]::OpenRead($path)
    try { $null = $file.Read($head, 0, 8) } finally { $file.Dispose() }
    if ([System.BitConverter]::ToString($head) -ne 'D0-CF-11-E0-A1-B1-1A-E1') {
        throw (New-Fault 'what the source gave is no Windows installer package' 'NotAnInstaller' 'InvalidData')
    }
    [pscustomobject]@{ Path = $path; Sha256 = $actual }
}

function Copy-WindowsNodeFile {
    # The installer finds the Windows node's files beside itself.
    param([string] $Source, [string] $Folder)

    $beside = [System.IO.Path]::GetDirectoryName($Source)
    $found = @([System.IO.Directory]::GetFiles($beside, 'AksEdgeWindows*'))
    if (-not $found) { throw (New-Fault "there are no AksEdgeWindows files beside $Source" 'WindowsNodeFilesMissing' 'ObjectNotFound') }
    foreach ($file in $found) {
        Microsoft.PowerShell.Utility\Write-Progress -Activity 'Copying the Windows node''s files' -Status ([System.IO.Path]::GetFileName($file))
        [System.IO.File]::Copy($file, [System.IO.Path]::Combine($Folder, [System.IO.Path]::GetFileName($file)), $true)
    }
}

function Get-MsiArgument {
    # The arguments of msiexec as one text. The values were validated: they hold no quotation mark.
    param([string] $Path, [string] $LogPath, [string] $InstallDir, [string] $VhdxDir, [string[]] $Features)

    $arguments = @('/i', "`"$Path`"", '/qn', '/norestart', '/l*v', "`"$LogPath`"")
    if ($InstallDir) { $arguments += "INSTALLDIR=`"$($InstallDir.TrimEnd('\'))`"" }
    if ($VhdxDir) { $arguments += "VHDXDIR=`"$($VhdxDir.TrimEnd('\'))`"" }
    if ($Features) { $arguments += 'ADDLOCAL=' + ($Features -join ',') }
    $arguments -join ' '
}

function Wait-Program {
    # Runs a program to its end with progress; returns its exit code.
    param([string] $Path, [string] $Arguments, [string] $Activity)

    $start = [System.Diagnostics.ProcessStartInfo]::new($Path, $Arguments)
    $start.UseShellExecute = $false
    $process = [System.Diagnostics.Process]::Start($start)
    $clock = [System.Diagnostics.Stopwatch]::StartNew()
    try {
        while (-not $process.WaitForExit(1000)) {
            $status = '{0:n0} s' -f $clock.Elapsed.TotalSeconds
            Microsoft.PowerShell.Utility\Write-Progress -Activity $Activity -Status $status
        }
        Microsoft.PowerShell.Utility\Write-Progress -Activity $Activity -Completed
        $process.ExitCode
    }
    finally { $process.Dispose() }
}

function Install-AksLiteMsi {
    <#
    .SYNOPSIS
    Downloads or takes the product's installer, checks its SHA-256, and runs it without questions.
    .PARAMETER Source
    An https address, a share or a local path, of an .msi or of a link to one.
    .PARAMETER Sha256
    64 hexadecimal digits; the file is refused where it differs.
    .PARAMETER InstallDir
    Folder of the product.
    .PARAMETER VhdxDir
    Folder of the virtual disks.
    .PARAMETER Features
    Installer features. WindowsNodeFeature needs the Windows node's files beside the installer.
    .OUTPUTS
    ExitCode, Product, Version, LogPath, Sha256. The exit code is the installer's; judging it is the caller's part.
    #>
    [CmdletBinding(PositionalBinding = $false)]
    param(
        [Parameter(Mandatory = $true)]
        [ValidateLength(4, 2000)]
        [ValidatePattern('^(https://[^\s"'']+|\\\\[^"<>|?*\r\n]+|[A-Za-z]:\\[^"<>|?*:\r\n]+)\z')]
        [string] $Source,

        [ValidatePattern('^[0-9A-Fa-f]{64}\z')]
        [string] $Sha256,

        [ValidatePattern('^[A-Za-z]:\\[^"<>|?*:\r\n]*\z')]
        [string] $InstallDir,

        [ValidatePattern('^[A-Za-z]:\\[^"<>|?*:\r\n]*\z')]
        [string] $VhdxDir,

        [ValidateSet('CoreFeature', 'WindowsNodeFeature')]
        [string[]] $Features
    )

    $folder = $null
    try {
        $needsWindowsNode = $Features -contains 'WindowsNodeFeature'
        if ($needsWindowsNode -and $Source -match '^https:') {
            throw (New-Fault 'the WindowsNodeFeature needs the Windows node''s files beside the installer: give a folder or a share' 'WindowsNodeFilesMissing' 'InvalidArgument')
        }
        $from = if ($Source -match '^https:') { $Source } else { $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($Source) }
        $folder = New-WorkFolder
        $installer = Save-Installer $from $folder $Sha256
        if ($needsWindowsNode) { Copy-WindowsNodeFile $from $folder }
        $logs = [System.IO.Path]::Combine([System.IO.Path]::GetDirectoryName($folder), 'logs')
        $null = [System.IO.Directory]::CreateDirectory($logs)
        $log = [System.IO.Path]::Combine($logs, 'msi-{0:yyyyMMdd-HHmmss}.log' -f [datetime]::UtcNow)
        $arguments = Get-MsiArgument $installer.Path $log $InstallDir $VhdxDir $Features
        $exitCode = Wait-Program (Get-SystemTool 'msiexec.exe') $arguments 'Installing the product'
        $product = Read-Fact { Get-InstalledProduct }
        [pscustomobject]@{
            ExitCode = [int] $exitCode
            Product  = if ($product) { $product.Name } else { $null }
            Version  = if ($product) { $product.Version } else { $null }
            LogPath  = $log
            Sha256   = $installer.Sha256
        }
    }
    catch {
        $PSCmdlet.ThrowTerminatingError($_)
    }
    finally {
        Remove-WorkFolder $folder
    }
}

# -- restart --------------------------------------------------------------------------------------------------------

function Request-AksLiteReboot {
    <#
    .SYNOPSIS
    Asks Windows to restart after a short delay, with a reason in the event log.
    .PARAMETER DelaySeconds
    2 to 86400. Two seconds are what the answer needs to reach the caller.
    .PARAMETER Reason
    One line, at most 500 characters, not ending in a backslash.
    .OUTPUTS
    BootTime (before the restart) and DueAt, both UTC.
    #>
    [CmdletBinding(PositionalBinding = $false)]
    param(
        [ValidateRange(2, 86400)]
        [int] $DelaySeconds = 5,

        [Parameter(Mandatory = $true)]
        [ValidatePattern('^[^"\r\n]{0,499}[^"\\\r\n]\z')]
        [string] $Reason
    )

    $bootTime = Get-AksLiteBootTime
    $planned = 'p:4:1'
    $alreadyDue = 1190
    $answer = & (Get-SystemTool 'shutdown.exe') '/r' '/t' $DelaySeconds '/d' $planned '/c' $Reason 2>&1
    if ($LASTEXITCODE -notin 0, $alreadyDue) {
        $PSCmdlet.ThrowTerminatingError((New-Fault "Windows refused to restart: $answer" 'RebootRefused'))
    }
    [pscustomobject]@{ BootTime = $bootTime; DueAt = [datetime]::UtcNow.AddSeconds($DelaySeconds) }
}

# -- kubeconfig -----------------------------------------------------------------------------------------------------

function Save-KubeConfig {
    # Has the product write its admin kubeconfig into a folder; returns the file's path.
    param([string] $Folder, [string] $NodeType)

    $null = AksEdge\Get-AksEdgeKubeConfig -KubeConfigPath $Folder -NodeType $NodeType -Confirm:$false
    $file = [System.IO.Path]::Combine($Folder, 'config')
    if (-not [System.IO.File]::Exists($file)) {
        throw (New-Fault 'the product wrote no kubeconfig' 'KubeConfigMissing' 'ObjectNotFound')
    }
    $file
}

function Get-AksLiteKubeConfig {
    <#
    .SYNOPSIS
    Returns the cluster's admin kubeconfig as text and leaves the caller's own kubeconfig alone.
    .PARAMETER NodeType
    The node to ask.
    #>
    [CmdletBinding(PositionalBinding = $false)]
    [OutputType([string])]
    param(
        [ValidateSet('Linux', 'Windows')]
        [string] $NodeType = 'Linux'
    )

    $folder = New-WorkFolder
    try {
        [System.IO.File]::ReadAllText((Save-KubeConfig $folder $NodeType))
    }
    catch {
        $PSCmdlet.ThrowTerminatingError($_)
    }
    finally {
        Remove-WorkFolder $folder
    }
}

# -- workloads ------------------------------------------------------------------------------------------------------

function Find-Kubectl {
    # Full path of the kubectl that came with the product.
    $product = Get-InstalledProduct
    $path = if ($product) { [System.IO.Path]::Combine($product.Folder, 'kubectl', 'kubectl.exe') }
    if (-not $path -or -not [System.IO.File]::Exists($path)) {
        throw (New-Fault "the product's kubectl is missing: $path" 'KubectlMissing' 'ObjectNotFound')
    }
    $path
}

function Invoke-Kubectl {
    # Runs kubectl and returns what it prints. The arguments hold no quotation mark and end in no backslash.
    param([string] $KubeConfig, [string[]] $Arguments)

    $common = "--kubeconfig=$KubeConfig", "--cache-dir=$([System.IO.Path]::GetDirectoryName($KubeConfig))", '--request-timeout=30s'
    $quoted = foreach ($argument in $Arguments + $common) { "`"$argument`"" }
    $start = [System.Diagnostics.ProcessStartInfo]::new((Find-Kubectl), ($quoted -join ' '))
    $start.UseShellExecute = $false
    $start.CreateNoWindow = $true
    $start.RedirectStandardOutput = $true
    $start.RedirectStandardError = $true
    # Remote sessions read programs in the OEM code page; kubectl writes UTF-8.
    $start.StandardOutputEncoding = [System.Text.Encoding]::UTF8
    $start.StandardErrorEncoding = [System.Text.Encoding]::UTF8
    # The cluster is on this machine's own switch, where no proxy leads.
    $start.EnvironmentVariables['NO_PROXY'] = '*'
    $process = [System.Diagnostics.Process]::Start($start)
    try {
        $output = $process.StandardOutput.ReadToEndAsync()
        $complaint = $process.StandardError.ReadToEndAsync()
        while (-not $process.WaitForExit(500)) { }
        if ($process.ExitCode -ne 0) {
            throw (New-Fault "kubectl ended with $($process.ExitCode): $($complaint.Result.Trim())" 'KubectlFailed' 'InvalidResult')
        }
        $output.Result
    }
    finally {
        # A stopped pipeline comes here while kubectl still runs.
        if (-not $process.HasExited) { $process.Kill() }
        $process.Dispose()
    }
}

function Get-AksLiteWorkload {
    <#
    .SYNOPSIS
    Reads objects of the cluster through the product's own kubectl. Changes nothing.
    .PARAMETER Kind
    What to read; Version is that of the API server.
    .PARAMETER Namespace
    Only what is in this namespace; default: everything.
    .OUTPUTS
    JSON as one string: a list of Kubernetes objects, or the answer of /version.
    #>
    [CmdletBinding(PositionalBinding = $false)]
    [OutputType([string])]
    param(
        [Parameter(Mandatory = $true)]
        [ValidateSet('DaemonSets', 'Deployments', 'Events', 'Namespaces', 'Nodes', 'Pods', 'Services', 'Version')]
        [string] $Kind,

        [ValidatePattern('^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\z')]
        [string] $Namespace
    )

    $folder = New-WorkFolder
    try {
        # kubectl leaves the managed fields out by itself.
        $arguments = @('get', $Kind.ToLowerInvariant(), '--output=json')
        if ($Kind -eq 'Version') { $arguments = @('get', '--raw=/version') }
        elseif ($Namespace) { $arguments += "--namespace=$Namespace" }
        else { $arguments += '--all-namespaces' }
        (Invoke-Kubectl (Save-KubeConfig $folder 'Linux') $arguments).Trim()
    }
    catch {
        $PSCmdlet.ThrowTerminatingError($_)
    }
    finally {
        Remove-WorkFolder $folder
    }
}

# -- Azure ----------------------------------------------------------------------------------------------------------

function Test-Answer {
    # Whether an https address answers in any way; through the system's proxy, which the product uses as well.
    param([uri] $Address)

    $request = [System.Net.HttpWebRequest] [System.Net.WebRequest]::Create($Address)
    $request.Method = 'HEAD'
    $request.AllowAutoRedirect = $false
    $request.Timeout = 10000
    try {
        $request.GetResponse().Close()
        $true
    }
    catch {
        $fault = $_.Exception
        while ($fault.InnerException -and $fault -isnot [System.Net.WebException]) { $fault = $fault.InnerException }
        $response = if ($fault -is [System.Net.WebException]) { $fault.Response } else { $null }
        if ($response) { $response.Close() }
        $null -ne $response
    }
}

function Test-AksLiteInternet {
    <#
    .SYNOPSIS
    Tells which of the addresses that Azure Arc needs can be reached from this host.
    .OUTPUTS
    Reached and Missed: addresses.
    #>
    [CmdletBinding(PositionalBinding = $false)]
    param()

    Enable-Tls12
    $reached = @()
    $missed = @()
    foreach ($address in $script:AzureAddresses) {
        if (Test-Answer ([uri] $address)) { $reached += $address } else { $missed += $address }
    }
    [pscustomobject]@{ Reached = [string[]] $reached; Missed = [string[]] $missed }
}

function Find-JsonFile {
    # The small JSON files below a folder. Links are not followed: anybody may make a folder on the system drive, and what
    # is found is written with the rights of an administrator.
    param([System.IO.DirectoryInfo] $Folder)

    $link = [System.IO.FileAttributes]::ReparsePoint
    if (-not $Folder.Exists -or ($Folder.Attributes -band $link)) { return }
    foreach ($file in @(Read-Fact { $Folder.GetFiles('*.json') })) {
        if ($file -and $file.Length -le 1MB -and -not ($file.Attributes -band $link)) { $file.FullName }
    }
    foreach ($below in @(Read-Fact { $Folder.GetDirectories() })) { if ($below) { Find-JsonFile $below } }
}

function Find-ConfigSecret {
    # Paths of JSON files in which a deployment config's secret stands.
    foreach ($folder in $script:ConfigFolders) {
        foreach ($path in Find-JsonFile $folder) {
            $text = Read-Fact { [System.IO.File]::ReadAllText($path) }
            if ($text -match $script:ConfigSecret) { $path }
        }
    }
}

function Clear-FileSecret {
    # Empties the secrets in one file and leaves all else of it, its encoding too, as it is.
    param([string] $Path)

    $reader = [System.IO.StreamReader]::new($Path, [System.Text.UTF8Encoding]::new($false, $true), $true)
    try {
        $text = $reader.ReadToEnd()
        $encoding = $reader.CurrentEncoding
    }
    finally { $reader.Dispose() }
    [System.IO.File]::WriteAllText($Path, ($text -replace $script:ConfigSecret, '$1$2'), $encoding)
}

function Clear-AksLiteConfigSecret {
    <#
    .SYNOPSIS
    Empties the Azure secrets in deployment configs that Microsoft's scripts or the product have left on the device.
    .PARAMETER ListOnly
    Changes nothing, only tells where secrets are.
    .OUTPUTS
    Files: where secrets are, or were. Failed: those of them that could not be written. No secret is part of it.
    #>
    [CmdletBinding(PositionalBinding = $false)]
    param([switch] $ListOnly)

    $files = @(Find-ConfigSecret)
    $failed = @()
    foreach ($file in $files) {
        if ($ListOnly) { continue }
        try { Clear-FileSecret $file } catch { $failed += $file }
    }
    [pscustomobject]@{ Files = [string[]] $files; Failed = [string[]] $failed }
}

# -- updates --------------------------------------------------------------------------------------------------------

function Find-StagedFile {
    # The files below a folder; links are not followed.
    param([System.IO.DirectoryInfo] $Folder)

    $link = [System.IO.FileAttributes]::ReparsePoint
    if (-not $Folder.Exists -or ($Folder.Attributes -band $link)) { return }
    $Folder.GetFiles()
    foreach ($below in $Folder.GetDirectories()) { Find-StagedFile $below }
}

function Get-AksLiteStagedUpdate {
    <#
    .SYNOPSIS
    Tells which files of an update of the product wait on this host. Changes nothing.
    .OUTPUTS
    Folders: where was looked. Files: paths, null where they cannot be read. Bytes, NewestAt (UTC) of all of them.
    Manifest: text of the first small JSON file among them, if there is one.
    #>
    [CmdletBinding(PositionalBinding = $false)]
    param()

    $product = Read-Fact { Get-InstalledProduct }
    $folders = foreach ($folder in @($script:UpdateFolder) + $(if ($product) { $product.Folder })) {
        [System.IO.Path]::Combine($folder, 'update-cache')
    }
    $files = $null
    try { $files = @(foreach ($folder in $folders) { Find-StagedFile $folder }) }
    catch { Microsoft.PowerShell.Utility\Write-Verbose "the staged files could not be read: $($_.Exception.Message)" }
    $bytes = [long] 0
    $newest = $null
    $manifest = $null
    foreach ($file in $files) {
        $bytes += $file.Length
        if (-not $newest -or $file.LastWriteTimeUtc -gt $newest) { $newest = $file.LastWriteTimeUtc }
        if ($null -eq $manifest -and $file.Extension -eq '.json' -and $file.Length -le 64KB) {
            $manifest = Read-Fact { [System.IO.File]::ReadAllText($file.FullName) }
        }
    }
    [pscustomobject]@{
        Folders  = [string[]] @($folders)
        Files    = if ($null -eq $files) { $null } else { , [string[]] @(foreach ($file in $files) { $file.FullName }) }
        Bytes    = $bytes
        NewestAt = $newest
        Manifest = $manifest
    }
}

# -- removal --------------------------------------------------------------------------------------------------------

function Uninstall-AksLiteProduct {
    <#
    .SYNOPSIS
    Uninstalls the product without questions and without a restart. A deployment goes with it.
    .OUTPUTS
    ExitCode and LogPath. The exit code is the installer's; judging it is the caller's part.
    #>
    [CmdletBinding(PositionalBinding = $false)]
    param()

    try {
        $product = Get-InstalledProduct
        if (-not $product) { throw (New-Fault 'the product is not installed' 'ProductNotInstalled' 'ObjectNotFound') }
        if ($product.Id -notmatch '^\{[0-9A-Fa-f-]{36}\}\z') {
            throw (New-Fault "the product was not installed by Windows Installer: $($product.Id)" 'NotAnInstallerProduct' 'InvalidData')
        }
        $folder = New-WorkFolder
        $logs = [System.IO.Path]::Combine([System.IO.Path]::GetDirectoryName($folder), 'logs')
        Remove-WorkFolder $folder
        $null = [System.IO.Directory]::CreateDirectory($logs)
        $log = [System.IO.Path]::Combine($logs, 'uninstall-{0:yyyyMMdd-HHmmss}.log' -f [datetime]::UtcNow)
        $arguments = '/x', $product.Id, '/qn', '/norestart', '/l*v', "`"$log`"" -join ' '
        $exitCode = Wait-Program (Get-SystemTool 'msiexec.exe') $arguments 'Uninstalling the product'
        [pscustomobject]@{ ExitCode = [int] $exitCode; LogPath = $log }
    }
    catch {
        $PSCmdlet.ThrowTerminatingError($_)
    }
}

function Read-PortProxy {
    # The IPv4 port proxies of this host as netsh keeps them, one object each.
    $key = Open-MachineKey 'SYSTEM\CurrentControlSet\Services\PortProxy\v4tov4\tcp'
    if (-not $key) { return }
    try {
        foreach ($name in $key.GetValueNames()) {
            $listens, $leads = ($name -split '/'), (([string] $key.GetValue($name)) -split '/')
            if ($listens.Count -ne 2 -or $leads.Count -ne 2) { continue }
            [pscustomobject]@{
                ListenAddress  = $listens[0]
                ListenPort     = [int] $listens[1]
                ConnectAddress = $leads[0]
                ConnectPort    = [int] $leads[1]
            }
        }
    }
    finally { $key.Dispose() }
}

function Get-PortProxy {
    # The same as text: listening address and port, then where they lead.
    foreach ($proxy in Read-PortProxy) {
        "$($proxy.ListenAddress):$($proxy.ListenPort) -> $($proxy.ConnectAddress):$($proxy.ConnectPort)"
    }
}

function Get-AksLiteLeftover {
    <#
    .SYNOPSIS
    Tells what a deployment and the product have on this host outside their cluster. Changes nothing.
    .PARAMETER VhdxDir
    Where to look for virtual disks; default: the product's folder.
    .OUTPUTS
    NodeDisks, Switches, Networks, PortProxies, RegistryKeys, Folders: lists; null where it cannot be read.
    #>
    [CmdletBinding(PositionalBinding = $false)]
    param(
        [ValidatePattern('^[A-Za-z]:\\[^"<>|?*:\r\n]*\z')]
        [string] $VhdxDir
    )

    $product = Read-Fact { Get-InstalledProduct }
    $diskFolder = if ($VhdxDir) { $VhdxDir } elseif ($product) { $product.Folder } else { 'C:\Program Files\AksEdge' }
    [pscustomobject]@{
        NodeDisks    = Read-List {
            if ([System.IO.Directory]::Exists($diskFolder)) {
                [System.IO.Directory]::GetFiles($diskFolder, '*-?edge.vhdx', [System.IO.SearchOption]::AllDirectories)
            }
        }
        Switches     = Read-List {
            foreach ($switch in Hyper-V\Get-VMSwitch -ErrorAction Stop) { if ($switch.Name -like 'aksedgesw*') { $switch.Name } }
        }
        # That networks are named as the switches on them is inferred.
        Networks     = Read-List {
            foreach ($network in HostNetworkingService\Get-HnsNetwork -ErrorAction Stop) {
                if ($network.Name -like 'aksedge*') { $network.Name }
            }
        }
        PortProxies  = Read-List { Get-PortProxy }
        RegistryKeys = Read-List {
            foreach ($path in 'SOFTWARE\Microsoft\AksEdge', 'SOFTWARE\AksEdgeScript') {
                $key = Open-MachineKey $path
                if ($key) { $key.Dispose(); "HKLM:\$path" }
            }
        }
        Folders      = Read-List {
            foreach ($folder in $script:ConfigFolders) { if ([System.IO.Directory]::Exists($folder)) { $folder } }
        }
    }
}

# -- ports of the host that lead into the cluster -------------------------------------------------------------------

function Get-ExposureRuleName {
    # The name of the firewall rule that belongs to a port of ours, and shows that it is ours.
    param([string] $Address, [int] $Port)

    "AksLite-Expose-$Address-$Port"
}

function Find-ExposureRule {
    # Our firewall rules: all, or the one of a name.
    param([string] $Name = '*')

    NetSecurity\Get-NetFirewallRule -Group $script:ExposureGroup -ErrorAction SilentlyContinue |
        Microsoft.PowerShell.Core\Where-Object { $_.Name -like $Name }
}

function Invoke-PortProxy {
    # Has netsh add or delete a port proxy. The values were validated: they hold no blank and no quotation mark.
    param([string] $Action, [string[]] $Arguments)

    $line = @('interface', 'portproxy', $Action, 'v4tov4') + $Arguments -join ' '
    $exitCode = Wait-Program (Get-SystemTool 'netsh.exe') $line 'Changing port proxies'
    if ($exitCode -ne 0) { throw (New-Fault "netsh ended with $exitCode" 'NetshFailed' 'InvalidResult') }
}

function Find-Proxy {
    # The port proxy that listens there, or nothing.
    param([string] $Address, [int] $Port)

    Read-PortProxy | Microsoft.PowerShell.Core\Where-Object { $_.ListenAddress -eq $Address -and $_.ListenPort -eq $Port }
}

function Get-AksLiteExposure {
    <#
    .SYNOPSIS
    Tells which ports of this host lead elsewhere, which of them are ours, and what listens. Changes nothing.
    .OUTPUTS
    Proxies (ListenAddress, ListenPort, ConnectAddress, ConnectPort, Ours), Rules (names of our firewall rules), Listening (TCP ports
    in use), HelperService (state of the service that forwards); a list is null where it cannot be read.
    #>
    [CmdletBinding(PositionalBinding = $false)]
    param()

    $rules = Read-List { foreach ($rule in Find-ExposureRule) { $rule.Name } }
    $proxies = $null
    try {
        $proxies = @(foreach ($proxy in Read-PortProxy) {
                $name = Get-ExposureRuleName $proxy.ListenAddress $proxy.ListenPort
                $ours = $null -ne $rules -and $rules -contains $name
                $proxy | Microsoft.PowerShell.Utility\Add-Member -NotePropertyName 'Ours' -NotePropertyValue $ours -PassThru
            })
    }
    catch { Microsoft.PowerShell.Utility\Write-Verbose "port proxies could not be read: $($_.Exception.Message)" }
    $listening = Read-Fact {
        $known = [System.Net.NetworkInformation.IPGlobalProperties]::GetIPGlobalProperties().GetActiveTcpListeners()
        , [int[]] @($known | Microsoft.PowerShell.Core\ForEach-Object { $_.Port } | Microsoft.PowerShell.Utility\Sort-Object -Unique)
    }
    [pscustomobject]@{
        Proxies       = $proxies
        Rules         = $rules
        Listening     = $listening
        HelperService = Read-Fact { [string] (Microsoft.PowerShell.Management\Get-Service -Name 'iphlpsvc' -ErrorAction Stop).Status }
    }
}

function Add-AksLiteExposure {
    <#
    .SYNOPSIS
    Has a TCP port of this host lead to an address of the cluster, and opens it in the firewall for some addresses.
    .DESCRIPTION
    A port proxy and a firewall rule. A port proxy there that is not ours is left alone, and is an error.
    .PARAMETER ListenPort
    Port of this host. Those that Windows' own remote access needs are refused.
    .PARAMETER ListenAddress
    Address of this host; default: all.
    .PARAMETER ConnectAddress
    Where it leads: an address of the cluster.
    .PARAMETER ConnectPort
    Port there.
    .PARAMETER RemoteAddress
    Who may connect: addresses, subnets, or LocalSubnet, which is the default.
    #>
    [CmdletBinding(PositionalBinding = $false)]
    param(
        [Parameter(Mandatory = $true)]
        [ValidateRange(1, 65535)]
        [ValidateScript({ $_ -notin 22, 135, 139, 445, 3389, 5985, 5986 })]
        [int] $ListenPort,

        [ValidatePattern('^(\d{1,3}\.){3}\d{1,3}\z')]
        [string] $ListenAddress = '0.0.0.0',

        [Parameter(Mandatory = $true)]
        [ValidatePattern('^(\d{1,3}\.){3}\d{1,3}\z')]
        [string] $ConnectAddress,

        [Parameter(Mandatory = $true)]
        [ValidateRange(1, 65535)]
        [int] $ConnectPort,

        [ValidatePattern('^(LocalSubnet|(\d{1,3}\.){3}\d{1,3}(/\d{1,2})?)\z')]
        [string[]] $RemoteAddress = @('LocalSubnet')
    )

    try {
        $name = Get-ExposureRuleName $ListenAddress $ListenPort
        $rule = Find-ExposureRule $name
        $there = Find-Proxy $ListenAddress $ListenPort
        if ($there -and -not $rule) {
            throw (New-Fault "port $ListenPort leads to $($there.ConnectAddress):$($there.ConnectPort) already, and not by us" 'PortTaken' 'ResourceExists' $ListenPort)
        }
        $arguments = "listenaddress=$ListenAddress", "listenport=$ListenPort", "connectaddress=$ConnectAddress", "connectport=$ConnectPort"
        # The rule comes first: it shows that the proxy is ours, also where this ends between the two.
        if ($rule) { NetSecurity\Remove-NetFirewallRule -Name $name -ErrorAction Stop }
        $given = @{
            Name = $name; DisplayName = "akslite-ps: TCP $ListenPort to ${ConnectAddress}:$ConnectPort"; Group = $script:ExposureGroup
            Direction = 'Inbound'; Action = 'Allow'; Protocol = 'TCP'; LocalPort = $ListenPort; RemoteAddress = $RemoteAddress
        }
        $null = NetSecurity\New-NetFirewallRule @given -ErrorAction Stop
        Invoke-PortProxy 'add' $arguments
        Find-Proxy $ListenAddress $ListenPort
    }
    catch {
        $PSCmdlet.ThrowTerminatingError($_)
    }
}

function Remove-AksLiteExposure {
    <#
    .SYNOPSIS
    Takes a port of ours away: its port proxy and its firewall rule. What is not ours is left alone.
    .PARAMETER ListenPort
    Port of this host.
    .PARAMETER ListenAddress
    Address of this host; default: all.
    .OUTPUTS
    True where there was one of ours.
    #>
    [CmdletBinding(PositionalBinding = $false)]
    [OutputType([bool])]
    param(
        [Parameter(Mandatory = $true)]
        [ValidateRange(1, 65535)]
        [int] $ListenPort,

        [ValidatePattern('^(\d{1,3}\.){3}\d{1,3}\z')]
        [string] $ListenAddress = '0.0.0.0'
    )

    try {
        $name = Get-ExposureRuleName $ListenAddress $ListenPort
        if (-not (Find-ExposureRule $name)) { return $false }
        if (Find-Proxy $ListenAddress $ListenPort) {
            Invoke-PortProxy 'delete' "listenaddress=$ListenAddress", "listenport=$ListenPort"
        }
        NetSecurity\Remove-NetFirewallRule -Name $name -ErrorAction Stop
        $true
    }
    catch {
        $PSCmdlet.ThrowTerminatingError($_)
    }
}

# -- event log ------------------------------------------------------------------------------------------------------

function Get-AksLiteEvent {
    <#
    .SYNOPSIS
    Reads the newest entries of the product's event log. Changes nothing.
    .PARAMETER Newest
    How many entries, 1 to 1000.
    .OUTPUTS
    One object an entry, newest first: Time (UTC), Level, Id, Source, Log, Message. Nothing where there is no such log.
    #>
    [CmdletBinding(PositionalBinding = $false)]
    param(
        [ValidateRange(1, 1000)]
        [int] $Newest = 100
    )

    try {
        # The log's name is spelt differently from page to page; the preview called its log AksIot.
        $logs = @(Microsoft.PowerShell.Diagnostics\Get-WinEvent -ListLog 'AKS*Edge*', 'AksIot*' -ErrorAction SilentlyContinue)
        $found = foreach ($log in $logs) {
            if (-not $log.RecordCount) { continue }
            Microsoft.PowerShell.Diagnostics\Get-WinEvent -LogName $log.LogName -MaxEvents $Newest -ErrorAction Stop
        }
        $sorted = @($found | Microsoft.PowerShell.Utility\Sort-Object -Property TimeCreated -Descending)
        $sorted | Microsoft.PowerShell.Utility\Select-Object -First $Newest | Microsoft.PowerShell.Core\ForEach-Object {
            # Without the provider's resources there is no message; the values it was made of are there all the same.
            $message = $_.Message
            if (-not $message) { $message = @($_.Properties | Microsoft.PowerShell.Core\ForEach-Object { $_.Value }) -join ' ' }
            [pscustomobject]@{
                Time    = $_.TimeCreated.ToUniversalTime()
                Level   = [int] $_.Level
                Id      = [int] $_.Id
                Source  = [string] $_.ProviderName
                Log     = [string] $_.LogName
                Message = [string] $message
            }
        }
    }
    catch {
        $PSCmdlet.ThrowTerminatingError($_)
    }
}

Export-ModuleMember -Function @(
    'Add-AksLiteExposure'
    'Clear-AksLiteConfigSecret'
    'Enable-AksLiteHostFeatures'
    'Get-AksLiteBootTime'
    'Get-AksLiteEvent'
    'Get-AksLiteExposure'
    'Get-AksLiteFacts'
    'Get-AksLiteKubeConfig'
    'Get-AksLiteLeftover'
    'Get-AksLiteStagedUpdate'
    'Get-AksLiteWorkload'
    'Install-AksLiteMsi'
    'Remove-AksLiteExposure'
    'Request-AksLiteReboot'
    'Test-AksLiteInternet'
    'Uninstall-AksLiteProduct'
)
