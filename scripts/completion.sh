#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# completion.sh bash|zsh|fish PROGRAM: prints a completion, made from the program's own --help.
set -euo pipefail
shell=$1 program=$2

commands() { "$program" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\)  *\(.*\)/\1\t\2/p'; }
options() { "$program" "$1" --help | sed -n 's/^  .*--\([a-z][a-z-]*\)\( [^ ]*\)\{0,1\}  *\(.*\)/--\1\t\3/p'; }
words() { cut -f1 | tr '\n' ' '; }

case $shell in
bash)
    echo "# made from spendlog --help"
    echo "_spendlog() {"
    echo "    local word=\${COMP_WORDS[COMP_CWORD]} list"
    echo "    case \${COMP_CWORD}:\${COMP_WORDS[1]} in"
    echo "    1:*) list='$(commands | words)--help --version' ;;"
    for command in $(commands | cut -f1); do
        echo "    *:$command) list='$(options "$command" | words)' ;;"
    done
    echo "    esac"
    echo "    mapfile -t COMPREPLY < <(compgen -W \"\$list\" -- \"\$word\")"
    echo "}"
    echo "complete -o default -F _spendlog spendlog"
    ;;
zsh)
    echo "#compdef spendlog"
    echo "# made from spendlog --help"
    echo "if (( CURRENT == 2 )); then"
    echo "    compadd -- $(commands | words)--help --version"
    echo "    return"
    echo "fi"
    echo "case \$words[2] in"
    for command in $(commands | cut -f1); do
        echo "$command) compadd -- $(options "$command" | words) ;;"
    done
    echo "esac"
    echo "_files"
    ;;
fish)
    echo "# made from spendlog --help"
    commands | while IFS=$'\t' read -r command help; do
        echo "complete -c spendlog -n __fish_use_subcommand -f -a $command -d '${help//\'/\\\'}'"
        options "$command" | while IFS=$'\t' read -r option text; do
            echo "complete -c spendlog -n '__fish_seen_subcommand_from $command' -l ${option#--} -d '${text//\'/\\\'}'"
        done
    done
    ;;
*)
    echo "usage: $0 bash|zsh|fish PROGRAM" >&2
    exit 64
    ;;
esac
