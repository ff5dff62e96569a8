/** Tables as files that spreadsheets open: quoted, in UTF-8 with its mark, and never a formula of somebody else's. */

const FORMULA = /^[=+\-@\t\r]/

function cell(value: string): string {
  // A text that begins like a formula is one to a spreadsheet, whoever wrote it.
  const text = FORMULA.test(value) ? `'${value}` : value
  return /[",\r\n]/.test(text) || text !== text.trim() ? `"${text.replaceAll('"', '""')}"` : text
}

export function csv(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, ...rows].map((row) => row.map(cell).join(',')).join('\r\n') + '\r\n'
}

/** Offers it to whoever sits here; nothing leaves the machine. */
export function download(name: string, content: string | Blob): void {
  const blob = content instanceof Blob ? content : new Blob(['\ufeff', content], { type: 'text/csv;charset=utf-8' })
  const link = document.createElement('a')
  link.href = URL.createObjectURL(blob)
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
}
