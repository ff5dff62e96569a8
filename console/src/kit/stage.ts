/** The stages of a case and how each is marked. canonical/lifecycle.py has the same stages. */

import {
  Checked, CircleCheck, CircleClose, Connection, DocumentAdd, Finished, Promotion, RefreshLeft, Search, Star, Tools,
  Upload, VideoPause,
} from '@element-plus/icons-vue'
import type { Component } from 'vue'

import type { Words } from '../language/tables'

export type Stage = keyof Words['shared']['stages']
export type Step = 'intake' | 'work' | 'check' | 'done' | 'out' | 'trouble'

export interface Mark {
  step: Step
  icon: Component
}

const MARKS: Record<Stage, Mark> = {
  reported: { step: 'intake', icon: Upload },
  verifying: { step: 'intake', icon: Search },
  refused: { step: 'out', icon: CircleClose },
  filed: { step: 'intake', icon: DocumentAdd },
  dispatched: { step: 'work', icon: Promotion },
  returned: { step: 'trouble', icon: RefreshLeft },
  handling: { step: 'work', icon: Tools },
  suspended: { step: 'trouble', icon: VideoPause },
  disposed: { step: 'check', icon: Finished },
  checked: { step: 'check', icon: Checked },
  closed: { step: 'done', icon: CircleCheck },
  evaluated: { step: 'done', icon: Star },
  cancelled: { step: 'out', icon: CircleClose },
  merged: { step: 'out', icon: Connection },
}

export const STAGES = Object.keys(MARKS) as Stage[]

export function markOf(stage: Stage): Mark {
  return MARKS[stage]
}
