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
        assetFileNames: (a) => (a.names[0]?.endsWith('.css') ? 'app.css' : '[name][extname]'),
      },
    },
  },
  test: { include: ['test/**/*.test.ts'], environment: 'node' },
} as Parameters<typeof defineConfig>[0])
