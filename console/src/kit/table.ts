/** What a table shows. */

export interface Column<Row> {
  key: string
  title: string
  /** Rem; without it the column shares what is left. */
  width?: number
  align?: 'start' | 'end' | 'center'
  /** What stands in the cell; a slot `cell-<key>` may draw it instead. */
  text?: (row: Row) => string | number | null | undefined
  /** Numbers of cases and the like. */
  mono?: boolean
}
