/** Logger for Knex that drops everything: errors are thrown to the caller, and Knex must not print them as well. */
export const SILENT_LOG = { debug() {}, warn() {}, error() {}, deprecate() {} }
