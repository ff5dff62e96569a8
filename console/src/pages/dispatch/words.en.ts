import type { Like } from '../../language/like'
import type zh from './words.zh'

const words: Like<typeof zh> = {
  title: 'Dispatch',
  coming: "Cases that wait for dispatch, the rule's reason and candidates will be here.",
}
export default words
