/** Puts a text where it can be pasted, and says so. */

import { ElMessage } from 'element-plus'

import { words } from '../language/language'

export async function copy(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text)
    ElMessage.success(words.value.shared.actions.copied)
  } catch {
    // Without https a browser has no clipboard for pages: what can be selected can be copied by hand.
    ElMessage.info(text)
  }
}
