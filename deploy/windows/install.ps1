<#
.SYNOPSIS
Makes Friren's environment and database, and its tasks in the Task Scheduler. Run it again at any time.

.PARAMETER User
Whom the tasks run as, whether or not somebody is logged in. The one who installs, unless given.

.PARAMETER Tasks
Which tasks, by the names of the files here: worker is all that is scheduled, backup and verify two commands of it.

.PARAMETER DryRun
Only says what would be done.
#>
param(
    [string] $User = "$env:USERDOMAIN\$env:USERNAME",
    [ValidateSet('worker', 'backup', 'verify')] [string[]] $Tasks = @('worker'),
    [switch] $DryRun
)
$ErrorActionPreference = 'Stop'
$checkout = (Resolve-Path (Join-Path $PSScriptRoot '..\..')).Path
$python = Join-Path $checkout '.venv\Scripts\python.exe'
$env:PYTHONUTF8 = '1'

function Invoke-Step([string] $What, [scriptblock] $Do) {
    if ($DryRun) { Write-Output "would do: $What"; return }
    Write-Output $What
    & $Do
    if ($LASTEXITCODE) { Write-Error "$What failed with exit code $LASTEXITCODE"; exit 1 }
}

Push-Location $checkout
try {
    # pyproject.toml holds every version to that of requirements.lock.
    Invoke-Step 'environment' { py -3 -m uv sync --quiet --no-default-groups --extra s3 --extra data }
    Invoke-Step 'database' { & $python manage.py setup_database }
    foreach ($task in $Tasks) {
        $text = (Get-Content -Raw -Encoding UTF8 (Join-Path $PSScriptRoot "friren-$task.xml")).Replace('C:\friren', $checkout)
        $xml = [xml] $text
        $xml.Task.Principals.Principal.UserId = $User
        Invoke-Step "task friren-$task" {
            Register-ScheduledTask -TaskName "friren-$task" -Xml $xml.OuterXml -Force | Out-Null
        }
    }
    if ($Tasks -contains 'worker') { Invoke-Step 'worker' { Start-ScheduledTask -TaskName 'friren-worker' } }
} finally {
    Pop-Location
}
