# Writes a piece into a file at an offset and ends the file there; doing it twice is the same as once.
param(
    [string] $Path,
    [long] $Offset,
    [AllowEmptyCollection()] [byte[]] $Data
)
$ErrorActionPreference = 'Stop'
$stream = [System.IO.File]::Open($Path, 'OpenOrCreate', 'Write', 'None')
try {
    if ($stream.Length -lt $Offset) { throw "'$Path' has $($stream.Length) bytes, the piece begins at $Offset." }
    $stream.SetLength($Offset)
    $null = $stream.Seek($Offset, 'Begin')
    $stream.Write($Data, 0, $Data.Length)
} finally { $stream.Dispose() }
