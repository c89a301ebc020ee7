import { defineConfig } from 'vite'

// `npm run dev` serves the page with a live node behind it: SHOAL_NODE is what
// `shoal daemon --web` listens at. The node checks Host and Origin, so both are
// made its own.
const node = process.env.SHOAL_NODE ?? 'http://[::1]:8080'

export default defineConfig({
  appType: 'spa',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  server: {
    port: 5173,
    proxy: {
      '/api': { target: node, changeOrigin: true, headers: { origin: new URL(node).origin } },
    },
  },
  build: {
    outDir: '../dist',
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    cssCodeSplit: false,
    modulePreload: false,
    reportCompressedSize: false,
    rolldownOptions: {
      output: {
        // Stable names: a rebuilt page is a small change to the repository.
        entryFileNames: 'app.js',
        chunkFileNames: '[name].js',
        // What all need is one file: small ones compress badly.
        codeSplitting: { groups: [{ name: 'format', test: /src\/(ui\/(basics|icons)|words\/(index|en)|lib\/(format|text|backoff)|state\/(actions|toasts|store|prefs)|api\/client)/ }] },
        assetFileNames: (a) => (a.names[0]?.endsWith('.css') ? 'app.css' : '[name][extname]'),
      },
    },
  },
  // The tests wait for browsers and nodes more than they work: two files at once, each with its own.
  test: { include: ['test/**/*.test.ts'], environment: 'node', maxWorkers: 2 },
} as Parameters<typeof defineConfig>[0])
