/** For Knex: what goes wrong is thrown, and told by whoever asked; it must not write to the terminal by itself. */
export const SILENT = { debug() {}, warn() {}, error() {}, deprecate() {} }
