import './look/tokens.css'
import 'element-plus/theme-chalk/base.css'
import 'element-plus/theme-chalk/dark/css-vars.css'
import './look/element.css'
import './look/base.css'

import { createApp } from 'vue'

import App from './App.vue'
import { makeRouter } from './shell/router'

createApp(App).use(makeRouter()).mount('#console')
