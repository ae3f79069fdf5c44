import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

/** The API that `npm run dev` talks to; the built pages always talk to the server they came from. */
const api = 'http://127.0.0.1:8000';

export default defineConfig({
  base: './', // The pages work under any prefix.
  plugins: [react()],
  test: {
    env: { LC_ALL: 'en_US.UTF-8' }, // The texts that tests expect have the dates and numbers of this locale.
    testTimeout: 60_000, // a busy machine is slow
  },
  build: {
    assetsInlineLimit: 0, // No data: URLs of ours, so that a strict content policy can hold.
    rolldownOptions: {
      input: ['index.html', 'graphiql.html'],
      // GraphiQL is shipped with "use no memo" in it, which means nothing in a bundle.
      onLog: (level, log, handle) => {
        if (log.code !== 'MODULE_LEVEL_DIRECTIVE') handle(level, log);
      },
    },
    chunkSizeWarningLimit: 4000, // Monaco, GraphiQL's editor, is 3.5 MB in one chunk.
  },
  worker: { format: 'es' },
  server: { proxy: { '/config.json': api, '/graphql': { target: api, ws: true } } },
});
