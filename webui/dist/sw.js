// The service worker: it lets the installed page open while its node cannot be reached.
// It keeps the files of the page of one build, and nothing else: no content, no answer of
// the API. The build fills in the two constants, so that each build has a cache of its own.
const cacheName = 'shoal-3219a5c70aa0a157'
const shell = ['/app.css', '/app.js', '/apple-touch-icon.png', '/channels.js', '/de.js', '/detail.js', '/expiry.js', '/find.js', '/format.js', '/icon-maskable.png', '/icon.svg', '/incoming.js', '/', '/manifest.webmanifest', '/network.js', '/node-de.js', '/player.js', '/plot.js', '/qr.js', '/qrcode.js', '/qrread.js', '/screen.js', '/sending.js', '/share.js', '/speed.js', '/weblink.js', '/weblinks.js', '/weblinks2.js']

addEventListener('install', (e) => {
  // Requests of the API do not pass here at all, where the browser can be told: one that is
  // sent while the page is left would be lost.
  e.addRoutes?.({ condition: { urlPattern: { pathname: '/api/*' } }, source: 'network' })
  e.waitUntil(caches.open(cacheName).then((c) => c.addAll(shell.map((path) => new Request(path, { cache: 'no-cache', credentials: 'omit' })))).then(() => skipWaiting()))
})

addEventListener('activate', (e) => {
  e.waitUntil(caches.keys()
    .then((names) => Promise.all(names.filter((n) => n.startsWith('shoal-') && n !== cacheName).map((n) => caches.delete(n))))
    .then(() => clients.claim()))
})

addEventListener('fetch', (e) => {
  const { request } = e
  const url = new URL(request.url)
  if (request.method !== 'GET' || url.origin !== location.origin || url.pathname.startsWith('/api/')) return
  const path = request.mode === 'navigate' ? '/' : url.pathname
  if (!shell.includes(path)) return
  // The node decides which build is shown. What is kept is for when it does not answer.
  e.respondWith(fetch(request).catch(async (why) => {
    const kept = await caches.open(cacheName).then((c) => c.match(path))
    if (kept) return kept
    throw why
  }))
})

// A notification leads to its transfer: in the page that is open, else in a new one.
addEventListener('notificationclick', (e) => {
  const { notification } = e
  notification.close()
  e.waitUntil(clients.matchAll({ type: 'window' }).then((pages) => {
    const page = pages.find((p) => p.focused) ?? pages[0]
    if (!page) return clients.openWindow(notification.data)
    page.postMessage({ show: notification.data })
    return page.focus()
  }))
})
