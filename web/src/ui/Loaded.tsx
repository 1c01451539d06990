import type { ComponentChildren } from "preact";
import type { Resource } from "../api/resource";
import { Loading, Problems } from "./Message";

interface Props<T> {
  resource: Resource<T>;
  what: string;
  children: (data: T) => ComponentChildren;
}

/** What a resource holds; while there is nothing yet, that it loads or why it did not. An old answer stays in sight. */
export function Loaded<T>({ resource, what, children }: Props<T>) {
  const { data, error, reload } = resource;
  return (
    <>
      {error !== undefined && <Problems error={error} retry={reload} />}
      {data !== undefined ? children(data) : error === undefined && <Loading what={what} />}
    </>
  );
}
