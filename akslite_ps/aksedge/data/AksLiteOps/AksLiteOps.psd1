@{
    RootModule           = 'AksLiteOps.psm1'
    ModuleVersion        = '0.1.0'
    GUID                 = '6f0c2c5e-6d52-4b1f-9a3e-0c8a4b7f2d19'
    Author               = 'akslite-ps'
    CompanyName          = 'akslite-ps'
    Copyright            = 'MIT License'
    Description          = 'What akslite-ps needs on a device besides the product''s own cmdlets: facts about the host, host features, installation, restart, kubeconfig, workloads, the way to Azure, left secrets, staged updates, removal, ports that lead into the cluster.'
    PowerShellVersion    = '5.1'
    CompatiblePSEditions = @('Desktop', 'Core')
    FunctionsToExport    = @(
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
    CmdletsToExport      = @()
    VariablesToExport    = @()
    AliasesToExport      = @()
}
