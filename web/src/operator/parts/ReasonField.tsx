import { LongField } from './LongField';

interface ReasonFieldProps {
  value: string;
  onChange: (value: string) => void;
}

/** Why something is decided. The books keep it. */
export function ReasonField({ value, onChange }: ReasonFieldProps) {
  return (
    <LongField
      label="Reason"
      hint="Kept for whoever audits the books, such as the number of a support case."
      required
      maxLength={500}
      value={value}
      onChange={(event) => onChange(event.target.value)}
    />
  );
}
