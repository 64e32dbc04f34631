/** The part of a document between its generation marks. */
export function generatedPart(document: string): string {
  const [, part] = /<!-- generated: [^>]* -->\n([\s\S]*)<!-- end of generated -->/.exec(document) ?? []
  return (part ?? '').trim()
}
