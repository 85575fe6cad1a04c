<#
.SYNOPSIS
Runs a command of Friren: .\friren.ps1 health --json

.DESCRIPTION
Calls manage.py in this checkout with the Python of its environment, hands on the exit code, and does nothing else.
#>
$ErrorActionPreference = 'Stop'
$checkout = (Resolve-Path (Join-Path $PSScriptRoot '..\..')).Path
$python = Join-Path $checkout '.venv\Scripts\python.exe'
if (-not (Test-Path $python)) {
    Write-Error "There is no environment yet: run deploy\windows\install.ps1"
    exit 1
}
# Windows' own encoding loses names of symbols and people.
$env:PYTHONUTF8 = '1'
& $python (Join-Path $checkout 'manage.py') @args
exit $LASTEXITCODE
