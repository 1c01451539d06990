/** An output that is an image, a PNG file in base64, with hard edges. */
export function OutputPicture({ image, label }: { image: string; label: string }) {
  return <img class="predict-picture" src={`data:image/png;base64,${image}`} alt={label} />;
}
