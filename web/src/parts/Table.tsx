import type { ReactNode } from 'react';

export interface Column<Row> {
  readonly title: string;
  readonly cell: (row: Row) => ReactNode;
  /** Numbers stand at the right, so that their digits stand below each other. */
  readonly isNumber?: boolean;
  /** Buttons, whose words say enough where each row is a card. */
  readonly isAction?: boolean;
}

interface TableProps<Row> {
  /** What the table holds; said to screen readers. */
  caption: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  keyOf: (row: Row) => string;
  /** Short rows: a table on a phone too. */
  compact?: boolean;
  /** The last row, such as a sum. */
  foot?: readonly ReactNode[];
}

/** A table; on a phone each row is a card. The first column says what the row is about. */
export function Table<Row>({ caption, columns, rows, keyOf, compact = false, foot }: TableProps<Row>) {
  return (
    <table role="table" className={compact ? 'table compact' : 'table'}>
      <caption className="for-readers">{caption}</caption>
      <thead role="rowgroup">
        <tr role="row">
          {columns.map((column) => (
            <th key={column.title} role="columnheader" scope="col" className={column.isNumber ? 'number' : undefined}>
              {column.title}
            </th>
          ))}
        </tr>
      </thead>
      <tbody role="rowgroup">
        {rows.map((row) => (
          <tr key={keyOf(row)} role="row">
            {columns.map((column, index) =>
              index === 0 ? (
                <th key={column.title} role="rowheader" scope="row">{column.cell(row)}</th>
              ) : (
                <td key={column.title} role="cell" className={column.isNumber ? 'number' : column.isAction ? 'for-action' : undefined}>
                  <span className="card-label" aria-hidden="true">{column.title}</span>
                  <span className="card-value">{column.cell(row)}</span>
                </td>
              ),
            )}
          </tr>
        ))}
      </tbody>
      {foot === undefined ? null : (
        <tfoot role="rowgroup">
          <tr role="row">
            {foot.map((cell, index) =>
              index === 0 ? (
                <th key={index} role="rowheader" scope="row">{cell}</th>
              ) : (
                <td key={index} role="cell" className={columns[index]?.isNumber ? 'number' : undefined}>{cell}</td>
              ),
            )}
          </tr>
        </tfoot>
      )}
    </table>
  );
}
