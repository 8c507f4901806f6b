# The way from a PowerShell process to the simulated device it belongs to.
#
# Nested in the generated modules beside it. A call goes to the sandbox's process over loopback; what the command writes comes
# back while it runs, and is written by the function that called. Works in Windows PowerShell 5.1 and in PowerShell 7.

Set-StrictMode -Version 3.0

$script:PollMilliseconds = 100
$script:ArgumentDepth = 6
$script:CommonParameters = 'Verbose', 'Debug', 'ErrorAction', 'WarningAction', 'InformationAction', 'ProgressAction', 'ErrorVariable', 'WarningVariable', 'InformationVariable', 'OutVariable', 'OutBuffer', 'PipelineVariable'
$script:MadeTypes = $null

# -- types that this machine does not have --------------------------------------------------------------------------

function Get-TypeMaker {
    # A dynamic module of its own, made when the first type is missing.
    if ($null -eq $script:MadeTypes) {
        $name = [System.Reflection.AssemblyName]::new('AksLiteSimulatedTypes' + [guid]::NewGuid().ToString('N'))
        $assembly = [System.Reflection.Emit.AssemblyBuilder]::DefineDynamicAssembly($name, [System.Reflection.Emit.AssemblyBuilderAccess]::Run)
        $script:MadeTypes = @{ Module = $assembly.DefineDynamicModule($name.Name); Types = @{} }
    }
    $script:MadeTypes
}

function Get-EnumType {
    # The type of an enum, made with the names that are known of it where this machine does not have it.
    param([string] $Name, [System.Collections.IDictionary] $Members)

    $known = $Name -as [type]
    if ($null -ne $known -and $known.IsEnum) { return $known }
    $maker = Get-TypeMaker
    if (-not $maker.Types.ContainsKey($Name)) {
        $builder = $maker.Module.DefineEnum($Name, [System.Reflection.TypeAttributes]::Public, [int])
        foreach ($member in $Members.Keys) { $null = $builder.DefineLiteral($member, [int] $Members[$member]) }
        $made = $builder.CreateTypeInfo()
        $maker.Types[$Name] = $made.AsType()
    }
    $maker.Types[$Name]
}

function Get-ExceptionType {
    # An exception class of this name, made where this machine does not have it.
    param([string] $Name)

    $known = $Name -as [type]
    if ($null -ne $known -and [System.Exception].IsAssignableFrom($known)) { return $known }
    $maker = Get-TypeMaker
    if (-not $maker.Types.ContainsKey($Name)) {
        $base = [System.Exception]
        $text = [type[]] @([string])
        $builder = $maker.Module.DefineType($Name, [System.Reflection.TypeAttributes]::Public, $base)
        $constructor = $builder.DefineConstructor('Public', [System.Reflection.CallingConventions]::Standard, $text)
        $code = $constructor.GetILGenerator()
        $code.Emit([System.Reflection.Emit.OpCodes]::Ldarg_0)
        $code.Emit([System.Reflection.Emit.OpCodes]::Ldarg_1)
        $code.Emit([System.Reflection.Emit.OpCodes]::Call, $base.GetConstructor($text))
        $code.Emit([System.Reflection.Emit.OpCodes]::Ret)
        $maker.Types[$Name] = $builder.CreateTypeInfo().AsType()
    }
    $maker.Types[$Name]
}

function New-DeviceException {
    param([string] $TypeName, [string] $Message)

    try { [System.Activator]::CreateInstance((Get-ExceptionType $TypeName), [object[]] @($Message)) }
    catch { [System.Management.Automation.RuntimeException]::new($Message) }
}

# -- values ---------------------------------------------------------------------------------------------------------

function ConvertFrom-Wire {
    # A live object from what the sandbox sent. The comma keeps lists whole on their way out.
    param([object] $Wire)

    if ($Wire -isnot [System.Collections.ArrayList]) { return , $Wire }
    switch ($Wire[0]) {
        'list' {
            $items = [object[]]::new($Wire.Count - 1)
            for ($i = 1; $i -lt $Wire.Count; $i++) { $items[$i - 1] = ConvertFrom-Wire $Wire[$i] }
            return , $items
        }
        'table' {
            $table = @{}
            for ($i = 1; $i -lt $Wire.Count; $i += 2) { $table[(ConvertFrom-Wire $Wire[$i])] = ConvertFrom-Wire $Wire[$i + 1] }
            return , $table
        }
        'enum' {
            $members = [ordered]@{}
            for ($i = 3; $i -lt $Wire.Count; $i += 2) { $members[[string] $Wire[$i]] = $Wire[$i + 1] }
            return , [System.Enum]::ToObject((Get-EnumType $Wire[1] $members), [int] $Wire[2])
        }
        'secure' {
            $secure = [securestring]::new()
            foreach ($character in ([string] $Wire[1]).ToCharArray()) { $secure.AppendChar($character) }
            return , $secure
        }
    }
    $object = [psobject]::new()
    # Before its types are told: PowerShell knows some that have a ToString, and takes no second one then.
    if ($null -ne $Wire[2]) {
        $text = [string] $Wire[2]
        $object.PSObject.Methods.Add([psscriptmethod]::new('ToString', { $text }.GetNewClosure()))
    }
    for ($i = 3; $i -lt $Wire.Count; $i += 2) {
        $object.PSObject.Properties.Add([psnoteproperty]::new($Wire[$i], (ConvertFrom-Wire $Wire[$i + 1])))
    }
    $names = ConvertFrom-Wire $Wire[1]
    if ($names.Count -gt 0) {
        $object.PSObject.TypeNames.Clear()
        foreach ($name in $names) { $object.PSObject.TypeNames.Add($name) }
    }
    return , $object
}

function Read-Wire {
    # The value of a line's second word.
    param([string] $Text)

    $xml = [System.Text.Encoding]::UTF8.GetString([System.Convert]::FromBase64String($Text))
    return , (ConvertFrom-Wire ([System.Management.Automation.PSSerializer]::Deserialize($xml)))
}

function ConvertTo-Wire {
    param([object] $Value)

    $xml = [System.Management.Automation.PSSerializer]::Serialize($Value, $script:ArgumentDepth)
    [System.Convert]::ToBase64String([System.Text.Encoding]::UTF8.GetBytes($xml))
}

function ConvertTo-Argument {
    # A bound value in a form that says all of it: CLIXML alone would lose switches and cannot carry secrets.
    param([object] $Value)

    if ($Value -is [switch]) { return $Value.IsPresent }
    if ($Value -is [securestring]) { return [pscustomobject]@{ AksLiteSecret = [System.Net.NetworkCredential]::new('', $Value).Password } }
    if ($Value -is [pscredential]) {
        return [pscustomobject]@{ UserName = $Value.UserName; Password = (ConvertTo-Argument $Value.Password) }
    }
    return , $Value
}

function New-DeviceErrorRecord {
    param([object] $Fields)

    $exception = New-DeviceException $Fields[3] $Fields[0]
    $category = $Fields[2] -as [System.Management.Automation.ErrorCategory]
    if ($null -eq $category) { $category = [System.Management.Automation.ErrorCategory]::NotSpecified }
    $record = [System.Management.Automation.ErrorRecord]::new($exception, $Fields[1], $category, $Fields[4])
    if ($Fields[5]) { $record.CategoryInfo.Reason = $Fields[5] }
    if ($Fields[6]) { $record.CategoryInfo.TargetName = $Fields[6] }
    if ($Fields[7]) { $record.CategoryInfo.TargetType = $Fields[7] }
    $record
}

# -- the call -------------------------------------------------------------------------------------------------------

function Read-Line {
    # The next line. Waits in short pieces, since PowerShell can stop a pipeline only between them.
    param([System.IO.StreamReader] $Reader)

    $reading = $Reader.ReadLineAsync()
    try { while (-not $reading.Wait($script:PollMilliseconds)) { } }
    catch [System.AggregateException] { return $null }
    $reading.Result
}

function Invoke-SimulatedCommand {
    # Runs the command of the calling function on the device, with what was bound to it.
    param([System.Management.Automation.PSCmdlet] $Caller, [System.Collections.IDictionary] $Bound)

    $arguments = @{}
    foreach ($name in $Bound.Keys) {
        if ($name -notin $script:CommonParameters) { $arguments[$name] = ConvertTo-Argument $Bound[$name] }
    }
    $request = @{
        Command      = $Caller.MyInvocation.MyCommand.Name
        ParameterSet = $Caller.ParameterSetName
        Arguments    = $arguments
        Location     = [string] $Caller.SessionState.Path.CurrentFileSystemLocation.ProviderPath
    }
    $client = [System.Net.Sockets.TcpClient]::new()
    try {
        $encoding = [System.Text.UTF8Encoding]::new($false)
        $reader = $null
        try {
            $client.Connect($env:AKSLITE_SANDBOX_HOST, [int] $env:AKSLITE_SANDBOX_PORT)
            $reader = [System.IO.StreamReader]::new($client.GetStream(), $encoding)
            $writer = [System.IO.StreamWriter]::new($client.GetStream(), $encoding)
            $writer.AutoFlush = $true
            $writer.NewLine = "`n"
            $writer.WriteLine("$env:AKSLITE_SANDBOX_TOKEN $(ConvertTo-Wire $request)")
        }
        catch { $reader = $null }
        while ($true) {
            $line = if ($reader) { Read-Line $reader } else { $null }
            if ($null -eq $line) {
                $gone = [System.IO.IOException]::new('The simulated device does not answer any more.')
                $Caller.ThrowTerminatingError([System.Management.Automation.ErrorRecord]::new($gone, 'SimulatedDeviceGone', 'ConnectionError', $null))
            }
            $kind, $text = $line.Split([char[]] ' ', 2)
            $value = if ($text) { Read-Wire $text } else { $null }
            switch ($kind) {
                'output' { $Caller.WriteObject($value, $false) }
                'null' { $Caller.WriteObject($null) }
                'error' { $Caller.WriteError((New-DeviceErrorRecord $value)) }
                'fail' { $Caller.ThrowTerminatingError((New-DeviceErrorRecord $value)) }
                'throw' { throw $value }
                'warning' { $Caller.WriteWarning($value) }
                'verbose' { $Caller.WriteVerbose($value) }
                'debug' { $Caller.WriteDebug($value) }
                'information' { $Caller.WriteInformation((New-DeviceInformation $value)) }
                'progress' { $Caller.WriteProgress((New-DeviceProgress $value)) }
                'exit' { $global:LASTEXITCODE = [int] $value }
                'should' { $writer.WriteLine((ConvertTo-Wire $Caller.ShouldProcess([string] $value[0], [string] $value[1]))) }
                'choose' { $writer.WriteLine((ConvertTo-Wire (Read-Choice $Caller $value))) }
                'done' { return }
            }
        }
    }
    finally {
        # Where the pipeline was stopped, this tells the device to stop too.
        $client.Close()
    }
}

function New-DeviceInformation {
    # A record as Write-Host makes it, with the device's names instead of this machine's.
    param([object] $Fields)

    $message = [System.Management.Automation.HostInformationMessage]::new()
    $message.Message = [string] $Fields[0]
    $record = [System.Management.Automation.InformationRecord]::new($message, [string] $Fields[2])
    foreach ($tag in $Fields[1]) { $record.Tags.Add($tag) }
    $record.Computer = $env:COMPUTERNAME
    $record.User = "$env:COMPUTERNAME\$env:USERNAME"
    $record
}

function New-DeviceProgress {
    param([object] $Fields)

    $record = [System.Management.Automation.ProgressRecord]::new([int] $Fields[0], [string] $Fields[1], [string] $Fields[2])
    $record.PercentComplete = [int] $Fields[3]
    $record.SecondsRemaining = [int] $Fields[4]
    if ($Fields[5]) { $record.CurrentOperation = [string] $Fields[5] }
    $record.ParentActivityId = [int] $Fields[6]
    if ($Fields[7]) { $record.RecordType = [System.Management.Automation.ProgressRecordType]::Completed }
    $record
}

function Read-Choice {
    # What the client's host answers to a choice.
    param([System.Management.Automation.PSCmdlet] $Caller, [object] $Fields)

    $choices = [System.Collections.ObjectModel.Collection[System.Management.Automation.Host.ChoiceDescription]]::new()
    foreach ($choice in $Fields[2]) {
        $choices.Add([System.Management.Automation.Host.ChoiceDescription]::new([string] $choice[0], [string] $choice[1]))
    }
    $Caller.Host.UI.PromptForChoice([string] $Fields[0], [string] $Fields[1], $choices, [int] $Fields[3])
}

Export-ModuleMember -Function 'Invoke-SimulatedCommand'
