// Lengths of a command's windows, in units of 4 bits, from its fields and the slices of a value; and whether the windows can be made
// (docs/top/windows.md, Fields). All of it is stable while the command is.
module top_geometry (
  input  logic [2:0]  slices_i,        // of a value
  input  logic [8:0]  channels_i,
  input  logic [7:0]  columns_i,
  input  logic [7:0]  rows_i,
  input  logic [3:0]  kernel_rows_i,
  input  logic [3:0]  kernel_columns_i,
  input  logic [3:0]  pad_rows_i,
  input  logic [3:0]  pad_columns_i,
  input  logic [3:0]  stride_i,
  output logic        good_o,
  output logic [top_pkg::GeometryW-1:0] lengths_o
);
  logic [14:0] step;                   // from one window to the next in a row of windows
  logic [18:0] line;                   // from one row of an image to the next
  logic [22:0] row_step;               // from one row of windows to the next
  logic [26:0] image;
  logic [14:0] segment;                // a row of the kernel
  logic [23:0] span;                   // from a window's begin to its end
  logic [22:0] ahead;                 // from the first window's begin to the image's
  logic [14:0] left;                   // padding at the left of a row's first window
  logic [19:0] right;                  // from that window's begin to the right border
  logic [10:0] column;                 // a column's values
  logic [8:0]  wide, high;             // columns and rows with padding
  assign column = (slices_i <= 3'd1) ? {2'd0, channels_i} : (slices_i == 3'd2) ? {1'b0, channels_i, 1'b0} :
      {channels_i, 2'd0};
  assign wide = 9'(columns_i) + {4'd0, pad_columns_i, 1'b0};
  assign high = 9'(rows_i) + {4'd0, pad_rows_i, 1'b0};
  assign step = 15'(column) * 15'(stride_i);
  assign line = 19'(column) * 19'(columns_i);
  assign row_step = 23'(line) * 23'(stride_i);
  assign image = 27'(line) * 27'(rows_i);
  assign segment = 15'(column) * 15'(kernel_columns_i);
  assign span = 24'(line) * 24'(kernel_rows_i - 4'd1) + 24'(segment);
  assign left = 15'(column) * 15'(pad_columns_i);
  assign ahead = 23'(line) * 23'(pad_rows_i) + 23'(left);
  assign right = 20'(line) + 20'(left);
  assign good_o = channels_i != '0 && columns_i != '0 && rows_i != '0 && stride_i != '0 &&
      kernel_rows_i > {pad_rows_i[2:0], 1'b0} && kernel_columns_i > {pad_columns_i[2:0], 1'b0} &&
      !pad_rows_i[3] && !pad_columns_i[3] &&
      9'(kernel_columns_i) <= wide && 9'(kernel_rows_i) <= high && span <= 24'(top_pkg::WindowSpan);
  assign lengths_o = {step, line, row_step, image, segment, span, ahead, left, right};
endmodule
