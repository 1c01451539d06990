import { useEffect, useRef, useState } from "preact/hooks";

/** Whether an element is in view, or nearly so: rows that nobody sees ask for nothing. */
export function useInView<T extends Element>() {
  const element = useRef<T>(null);
  const [inView, setInView] = useState(false);
  useEffect(() => {
    const observer = new IntersectionObserver((entries) => setInView(entries.at(-1)!.isIntersecting), { rootMargin: "80px" });
    observer.observe(element.current!);
    return () => observer.disconnect();
  }, []);
  return { element, inView };
}
