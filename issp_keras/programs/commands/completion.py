"""Prints a script that completes commands and flags of `issp` in a shell.

    source <(issp completion bash)
    source <(issp completion zsh)
    issp completion fish | source

Add the line for your shell to ~/.bashrc, ~/.zshrc or
~/.config/fish/config.fish.
"""

from issp_keras.errors import InputError
from issp_keras.programs import cli
from issp_keras.programs.commands import COMMANDS

_BASH = """\
_issp() {
    local word="${COMP_WORDS[COMP_CWORD]}" name="${COMP_WORDS[0]##*/}"
    local -a asked=(issp)
    COMPREPLY=()
    if [[ $name == issp-* ]]; then
        asked+=("${name#issp-}")
    elif ((COMP_CWORD > 1)); then
        asked+=("${COMP_WORDS[1]}")
    fi
    if ((${#asked[@]} == 1)) || [[ $word == -* ]]; then
        local found="$("${asked[@]}" --completions 2>/dev/null | cut -f1)"
        COMPREPLY=($(compgen -W "$found" -- "$word"))
    fi
    [[ ${#COMPREPLY[@]} == 1 && $COMPREPLY == *= ]] && compopt -o nospace
    return 0
}
complete -o default -F _issp NAMES
"""

_ZSH = """\
(($+functions[compdef])) || { autoload -Uz compinit && compinit }
_issp() {
    local -a asked=(issp) found
    if [[ ${words[1]:t} == issp-* ]]; then
        asked+=(${${words[1]:t}#issp-})
    elif ((CURRENT > 2)); then
        asked+=($words[2])
    fi
    if ((${#asked} == 1)) || [[ $words[CURRENT] == -[^=]# ]]; then
        found=(${(f)"$($asked --completions 2>/dev/null)"})
        found=(${found/$'\\t'/:})
        # No space follows a flag that takes a value.
        local -a values=(${(M)found:#[^:]#=:*}) others=(${found:#[^:]#=:*})
        _describe issp values -S '' -- others
    else
        compset -P '-*='
        _files
    fi
}
compdef _issp NAMES
"""

_FISH = """\
complete -c issp -n __fish_use_subcommand -f -a '(issp --completions)'
complete -c issp -n 'not __fish_use_subcommand; \
and string match -q -- "-*" (commandline -ct)' \
-a '(issp (commandline -opc)[2] --completions)'
for name in (issp --completions | string split -f1 \\t)
    complete -c issp-$name -n 'string match -q -- "-*" (commandline -ct)' \
-a "(issp $name --completions)"
end
"""

_SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


def main(argv):
    (shell,) = cli.arguments(argv, f"a shell: {', '.join(_SCRIPTS)}")
    if shell not in _SCRIPTS:
        raise InputError(
            f"{shell}: is not a known shell, expected one of "
            f"{', '.join(_SCRIPTS)}."
        )
    names = " ".join(["issp", *(f"issp-{name}" for name in COMMANDS)])
    print(_SCRIPTS[shell].replace("NAMES", names), end="")


def run():
    """Entry point of `issp completion`."""
    cli.run(main, arguments={"SHELL": f"{', '.join(_SCRIPTS)}."})


if __name__ == "__main__":
    run()
