/** The text of examples/NAME.json: see vite.config.ts. */
declare module "virtual:example/*" {
  const text: string;
  export default text;
}
