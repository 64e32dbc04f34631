/**
 * Completion scripts by shell. All three ask `chatctl __complete` for the words so far, the last of which is
 * the one to complete. A line `:files` means names of files. Names come from servers and other people: no script may
 * let the shell expand them, as `compgen -W` would.
 */
export const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `# chatctl completion bash
_chatctl() {
  local words=() line files= current="\${COMP_WORDS[COMP_CWORD]}"
  # bash splits words at : and =, which addresses and FIELD=VALUE hold.
  local parts=("\${COMP_LINE:0:COMP_POINT}")
  read -ra words <<< "\${parts[0]}"
  [[ \${parts[0]} == *[[:space:]] ]] && words+=("")
  local whole="\${words[\${#words[@]}-1]}"
  local cut="\${whole%"$current"}"
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ $line == :files ]]; then files=1; continue; fi
    [[ $line == "$whole"* ]] || continue
    printf -v line %q "\${line#"$cut"}"
    COMPREPLY+=("$line")
  done < <("\${words[0]}" __complete "\${words[@]:1}" 2>/dev/null)
  if [[ -n $files ]]; then
    compopt -o filenames
    while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$current")
  fi
}
complete -F _chatctl chatctl
`,
  zsh: `#compdef chatctl
# chatctl completion zsh
_chatctl() {
  local -a found
  found=("\${(@f)$("\${words[1]}" __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if (( \${found[(Ie):files]} )); then _files; fi
  found=("\${(@)found:#:files}")
  compadd -- "\${(@)found:#}"
}
if [[ $funcstack[1] == _chatctl ]]; then _chatctl "$@"; else compdef _chatctl chatctl; fi
`,
  fish: `# chatctl completion fish
function __chatctl_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l found ($words[1] __complete $words[2..-1] 2>/dev/null)
    if contains -- :files $found
        __fish_complete_path (commandline -ct)
    end
    for line in $found
        test "$line" != :files; and echo -- $line
    end
end
complete -c chatctl -f -a '(__chatctl_complete)'
`,
}
