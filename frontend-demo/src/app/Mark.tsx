/** The logo of Ostinato: a repeat sign. */
import mark from './mark.svg';

export function Mark() {
  return <img className="mark" src={mark} alt="" width={32} height={32} />;
}
