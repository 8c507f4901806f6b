# Gives a file that has come over whole its name; removes it where its SHA-256 is another than was sent. Tells the SHA-256.
param(
    [string] $Partial,
    [string] $Path,
    [string] $Sha256,
    [bool] $Overwrite
)
$ErrorActionPreference = 'Stop'
$stream = [System.IO.File]::Open($Partial, 'Open', 'Read', 'Read')
try {
    $hash = [System.Security.Cryptography.SHA256]::Create()
    try { $found = [System.BitConverter]::ToString($hash.ComputeHash($stream)).Replace('-', '').ToLowerInvariant() }
    finally { $hash.Dispose() }
} finally { $stream.Dispose() }
if ($found -ne $Sha256) {
    [System.IO.File]::Delete($Partial)
} elseif ([System.IO.File]::Exists($Path) -and $Overwrite) {
    # $null would arrive as an empty string.
    [System.IO.File]::Replace($Partial, $Path, [System.Management.Automation.Language.NullString]::Value)
} else {
    [System.IO.File]::Move($Partial, $Path)
}
New-Object -TypeName psobject -Property @{ Sha256 = $found }
