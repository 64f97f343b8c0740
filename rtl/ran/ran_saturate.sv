// Saturation of a job's rounded sums, its statistics, and its packed form (docs/ran/README.md: Saturation, Formats, Statistics).
// Combinational.
module ran_saturate
  import ran_pkg::way_t;
#(
  parameter int Lanes = 16,
  parameter int AccW = 40
) (
  input  logic [Lanes*AccW-1:0]    z_i,
  input  way_t                     cfg_i,
  output logic [Lanes*64-1:0]      packed_o,    // lane 0 lowest, containers of the format
  output logic [5:0]               overflow_o,
  output logic [5:0]               zeros_o,
  output logic [5:0]               max_bit_o,
  output logic [20:0]              sum_abs_o
);
  localparam int W = Lanes * 64;
  localparam int StatW = 6 + 6 + 6 + 21;

  function automatic logic [5:0] bit_length(input logic [AccW-1:0] value);
    logic [5:0] length;
    length = '0;
    for (int i = 0; i < AccW; i++) if (value[i]) length = 6'(i + 1);
    bit_length = length;
  endfunction

  /* verilator lint_off UNUSEDSIGNAL */  // what others do
  function automatic logic [W+StatW-1:0] result(input logic [Lanes*AccW-1:0] z, input way_t cfg);
  /* verilator lint_on UNUSEDSIGNAL */
    logic [W-1:0]       out;
    logic [5:0]         overflow, zeros, max_bit;
    logic [20:0]        sum_abs;
    logic signed [63:0] value, low, high;
    logic [63:0]        magnitude, largest;
    logic               is_unsigned, live, raw;
    out      = '0;
    overflow = '0;
    zeros    = '0;
    sum_abs  = '0;
    largest  = '0;
    is_unsigned = cfg.y_unsigned;
    raw = 1'b0;
    case (cfg.y_bits)
      ran_pkg::Y4:  high = is_unsigned ? 64'sd15 : 64'sd7;
      ran_pkg::Y8:  high = is_unsigned ? 64'sd255 : 64'sd127;
      ran_pkg::Y12: high = is_unsigned ? 64'sd4095 : 64'sd2047;
      ran_pkg::Y16: high = is_unsigned ? 64'sd65535 : 64'sd32767;
      ran_pkg::YRaw32: begin
        high = 64'sh7fff_ffff;
        raw  = 1'b1;
      end
      default: begin
        high = 64'sh7fff_ffff_ffff_ffff;
        raw  = 1'b1;
      end
    endcase
    low = is_unsigned ? 64'sd0 : ~high;
    // Lanes that are not live hold 0: only as zeros would they count.
    for (int l = 0; l < Lanes; l++) begin
      live  = l < 32'(cfg.lanes);
      value = {{(64 - AccW){z[AccW*l + AccW - 1]}}, z[AccW*l +: AccW]};
      magnitude = value[63] ? -value : value;
      largest   = largest | magnitude;      // has the bit length of the largest
      if (value > high) begin
        value    = high;
        overflow = overflow + 1'b1;
      end else if (value < low) begin
        value    = low;
        overflow = overflow + 1'b1;
      end
      if (live && value == 64'sd0) zeros = zeros + 1'b1;
      if (!raw) sum_abs = sum_abs + 21'(value[63] ? -value : value);
      case (cfg.y_bits)
        ran_pkg::Y4:     out[4*l +: 4]   = value[3:0];
        ran_pkg::Y8:     out[8*l +: 8]   = value[7:0];
        ran_pkg::Y12:    out[16*l +: 16] = value[15:0];
        ran_pkg::Y16:    out[16*l +: 16] = value[15:0];
        ran_pkg::YRaw32: out[32*l +: 32] = value[31:0];
        default:             out[64*l +: 64] = value;
      endcase
    end
    max_bit = bit_length(largest[AccW-1:0]);
    result = {overflow, zeros, max_bit, sum_abs, out};
  endfunction

  assign {overflow_o, zeros_o, max_bit_o, sum_abs_o, packed_o} = result(z_i, cfg_i);
endmodule
