# Gives a piece of a file as one byte array; a shorter one where the file ends.
param(
    [string] $Path,
    [long] $Offset,
    [int] $Count
)
$ErrorActionPreference = 'Stop'
$stream = [System.IO.File]::Open($Path, 'Open', 'Read', 'ReadWrite')
try {
    $null = $stream.Seek($Offset, 'Begin')
    [byte[]] $piece = New-Object -TypeName byte[] -ArgumentList $Count
    $filled = 0
    while ($filled -lt $Count) {
        $read = $stream.Read($piece, $filled, $Count - $filled)
        if ($read -eq 0) { break }
        $filled += $read
    }
} finally { $stream.Dispose() }
if ($filled -lt $Count) { [System.Array]::Resize([ref] $piece, $filled) }
, $piece
