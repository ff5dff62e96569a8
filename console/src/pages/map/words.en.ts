import type { Like } from '../../language/like'
import type zh from './words.zh'

const words: Like<typeof zh> = {
  title: 'One map',
  coming: 'Grids, live cases, density, a time slider and registered layers will be here.',
}
export default words
