/** Bytes as they came. Each look is logged by the hub before it answers. */

import { ApiError } from '../api/ask'
import { words } from '../language/language'

/** Raises ApiError with what the hub says, such as that retention has removed them. */
export async function bytesOf(path: string): Promise<Uint8Array> {
  const said = words.value.shared.errors
  const response = await fetch(path, { credentials: 'same-origin', cache: 'no-store' }).catch(() => {
    throw new ApiError(0, 'unreachable', said.network, said.networkHint)
  })
  if (response.ok) return new Uint8Array(await response.arrayBuffer())
  const body = (await response.json().catch(() => null)) as { error?: { code?: string; text?: string; hint?: string } } | null
  const { code, text, hint } = body?.error ?? {}
  throw new ApiError(response.status, code ?? '', text ?? said.strangeHint, hint ?? '')
}
