import { defineCommand } from '../definition/command.ts'
import { CliError } from '../errors/exit.ts'

export const completion = defineCommand({
  command: 'completion [shell]',
  describe: 'Print a script that completes commands, options and their values in bash, zsh or fish',
  examples: [
    ['source <($0 completion bash)', 'in ~/.bashrc; for zsh likewise in ~/.zshrc'],
    ['$0 completion fish > ~/.config/fish/completions/chatctl.fish', 'once'],
  ],
  builder: (args) =>
    args.positional('shell', { type: 'string', describe: 'bash, zsh or fish; that of $SHELL if left out' }),
  async run({ shell: asked }, { output }) {
    const { SCRIPTS } = await import('../output/completion-scripts.ts')
    const shells = Object.keys(SCRIPTS)
    const shell = asked ?? shells.find((name) => process.env.SHELL?.endsWith(`/${name}`)) ?? 'bash'
    const script = Object.hasOwn(SCRIPTS, shell) ? SCRIPTS[shell] : undefined
    if (script === undefined) throw new CliError('usage', `"${shell}" is none of ${shells.join(', ')}`)
    await output.write(script)
  },
})
