# Tells the full path of a file, its length and its SHA-256; length and SHA-256 are null where there is none.
# Is asked before a copy, and after a break for what had come over. Windows PowerShell 5.1 and PowerShell 7.
param(
    [string] $Path,
    # Read it through only if it is of this length; -1: in any case.
    [long] $IfLength = -1,
    # Fail where there is no such file.
    [bool] $Required = $false
)
$ErrorActionPreference = 'Stop'
$full = $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($Path)
$found = New-Object -TypeName psobject -Property @{ Path = $full; Length = $null; Sha256 = $null }
if (-not [System.IO.File]::Exists($full)) {
    if ($Required) { throw (New-Object -TypeName System.IO.FileNotFoundException -ArgumentList "There is no file '$full'.") }
    return $found
}
# Others may read it meanwhile, and write where this user could not prevent it either.
$stream = [System.IO.File]::Open($full, 'Open', 'Read', 'ReadWrite')
try {
    $found.Length = $stream.Length
    if ($IfLength -lt 0 -or $IfLength -eq $stream.Length) {
        $sha256 = [System.Security.Cryptography.SHA256]::Create()
        try { $found.Sha256 = [System.BitConverter]::ToString($sha256.ComputeHash($stream)).Replace('-', '').ToLowerInvariant() }
        finally { $sha256.Dispose() }
    }
} finally { $stream.Dispose() }
$found
