// The entry point: styles, the sign-in of the URL, the page.
import { render } from 'preact'
import 'uplot/dist/uPlot.min.css'
import './styles/base.css'
import './styles/controls.css'
import './styles/shell.css'
import './styles/transfers.css'
import './styles/detail.css'
import './styles/screens.css'
import { App } from './app'
import { begin } from './state/session'

render(<App />, document.getElementById('app')!)
void begin()
