# Reads a JSON list of lines, writes what PowerShell's own parser makes of each as JSON: errors, and the
# statements as pipelines of commands with their elements. Used by test_command_line_against_powershell.py.
param([string] $Questions, [string] $Answers)

function Get-Value($ast) {
    switch ($ast.GetType().Name) {
        'StringConstantExpressionAst' { return @{ is = 'text'; value = $ast.Value } }
        'ConstantExpressionAst' {
            $invariant = [System.Globalization.CultureInfo]::InvariantCulture
            return @{ is = 'number'; value = [System.Convert]::ToString($ast.Value, $invariant); written = $ast.Extent.Text }
        }
        'ExpandableStringExpressionAst' { return @{ is = 'interpolated' } }
        'ArrayLiteralAst' { return @{ is = 'items'; items = @($ast.Elements | ForEach-Object { Get-Value $_ }) } }
        'VariableExpressionAst' { return @{ is = 'variable'; value = $ast.VariablePath.UserPath; splat = $ast.Splatted } }
        'MemberExpressionAst' { return @{ is = 'path' } }
        'IndexExpressionAst' { return @{ is = 'path' } }
        'ParenExpressionAst' {
            $inner = $ast.Pipeline
            if ($inner.PipelineElements.Count -eq 1 -and $inner.PipelineElements[0].Expression) { return Get-Value $inner.PipelineElements[0].Expression }
            return @{ is = 'other'; value = 'paren' }
        }
        'UnaryExpressionAst' {
            if ($ast.TokenKind -eq 'Minus' -and $ast.Child.GetType().Name -eq 'ConstantExpressionAst') {
                return @{ is = 'number'; value = '-' + (Get-Value $ast.Child).value; written = $ast.Extent.Text }
            }
            return @{ is = 'other'; value = 'unary' }
        }
        'ArrayExpressionAst' {
            $items = @()
            foreach ($statement in $ast.SubExpression.Statements) {
                if ($statement.PipelineElements.Count -ne 1 -or -not $statement.PipelineElements[0].Expression) { return @{ is = 'other'; value = 'array' } }
                $items += Get-Value $statement.PipelineElements[0].Expression
            }
            return @{ is = 'collected'; items = $items }
        }
        'HashtableAst' {
            $keys = @($ast.KeyValuePairs | ForEach-Object { [string] $_.Item1.Value })
            return @{ is = 'table'; keys = $keys }
        }
        default { return @{ is = 'other'; value = $ast.GetType().Name } }
    }
}

function Get-Pipeline($ast) {
    $head = $null
    $commands = @()
    foreach ($element in $ast.PipelineElements) {
        if ($element.Expression) { $head = Get-Value $element.Expression; continue }
        $elements = @()
        foreach ($part in $element.CommandElements | Select-Object -Skip 1) {
            if ($part.GetType().Name -eq 'CommandParameterAst') {
                $argument = if ($part.Argument) { Get-Value $part.Argument } else { $null }
                $elements += @{ is = 'parameter'; name = $part.ParameterName; argument = $argument }
            } else { $elements += Get-Value $part }
        }
        $commands += @{ name = [string] $element.CommandElements[0].Value; operator = [string] $element.InvocationOperator; elements = $elements; redirections = $element.Redirections.Count }
    }
    return @{ is = 'pipeline'; head = $head; commands = $commands; background = [bool] $ast.Background }
}

function Get-Statement($ast) {
    switch ($ast.GetType().Name) {
        'PipelineAst' { return Get-Pipeline $ast }
        'AssignmentStatementAst' {
            $right = $ast.Right
            $value = if ($right.GetType().Name -eq 'PipelineAst') { Get-Pipeline $right }
                     elseif ($right.Expression) { @{ is = 'pipeline'; head = (Get-Value $right.Expression); commands = @(); background = $false } }
                     else { @{ is = $right.GetType().Name } }
            return @{ is = 'assignment'; name = [string] $ast.Left.VariablePath.UserPath; operator = [string] $ast.Operator; value = $value }
        }
        'ExitStatementAst' { return @{ is = 'exit' } }
        default { return @{ is = $ast.GetType().Name } }
    }
}

$result = foreach ($line in (Get-Content -Raw -Encoding utf8 $Questions | ConvertFrom-Json)) {
    $tokens = $null
    $errors = $null
    $ast = [System.Management.Automation.Language.Parser]::ParseInput($line, [ref] $tokens, [ref] $errors)
    @{
        errors     = @($errors | ForEach-Object { $_.ErrorId })
        incomplete = @($errors | Where-Object { $_.IncompleteInput }).Count -gt 0
        statements = @($ast.EndBlock.Statements | ForEach-Object { Get-Statement $_ })
        extra      = [bool] ($ast.ParamBlock -or $ast.BeginBlock -or $ast.ProcessBlock -or $ast.UsingStatements.Count)
    }
}
ConvertTo-Json @($result) -Depth 20 -Compress | Set-Content -Encoding utf8 $Answers
