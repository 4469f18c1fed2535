/** Style sheets of packages, which Vite puts into the page. */
declare module '*.css';

/** Files that Vite copies, by their address. */
declare module '*?url' {
  const address: string;
  export default address;
}
