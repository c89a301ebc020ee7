// The entry point: styles, the sign-in of the URL, the page.
import { render } from 'preact'
import 'uplot/dist/uPlot.min.css'
import './styles/base.css'
import './styles/controls.css'
import './styles/shell.css'
import './styles/transfers.css'
import './styles/detail.css'
import './styles/screens.css'
import './styles/player.css'
import './styles/weblink.css'
import { App } from './app'
import { prepare } from './state/install'
import { begin } from './state/session'
import { speak } from './words'

// The language comes first: a page that changes its language in sight is worse than one a moment later.
void speak().then(() => {
  render(<App />, document.getElementById('app')!)
  return begin()
})
prepare()
