/** The same keys, any text: what a table in another language must be, no key less and none more. */
export type Like<T> = { readonly [K in keyof T]: T[K] extends string ? string : Like<T[K]> }
