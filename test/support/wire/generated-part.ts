/** The part of a document between its markers of generated content. */
export function generatedPart(document: string): string {
  const [, part] = /<!-- generated: [^>]* -->\n([\s\S]*)<!-- end of generated -->/.exec(document) ?? []
  return (part ?? '').trim()
}
