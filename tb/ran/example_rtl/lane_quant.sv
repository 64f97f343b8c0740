// One lane of another quant register: its random numbers and its rounding (docs/ran/README.md: Rounding, Random numbers).
//
// Quotient and remainder, and whether to go up; the generator's 32 steps as one linear map, worked out at elaboration.
module lane_quant #(
  parameter int Lane = 0,
  parameter int AccW = 40
) (
  input  logic            clk_i,
  input  logic            rst_ni,
  input  logic            seed_valid_i,
  input  logic [31:0]     seed_i,
  input  logic            draw_i,
  input  logic [AccW-1:0] sum_i,
  input  logic [5:0]      shift_i,
  input  logic [1:0]      round_i,
  input  logic [1:0]      rand_bits_i,
  input  logic            relu_i,
  output logic [AccW-1:0] z_o
);
  localparam logic [31:0] Poly = ran_pkg::LfsrPoly[32*Lane +: 32];

  // Column b: what 32 steps make of a state that has bit b alone.
  function automatic logic [32*32-1:0] columns(input logic [31:0] poly);
    logic [31:0] s;
    for (int b = 0; b < 32; b++) begin
      s = 32'd1 << b;
      repeat (32) s = s[0] ? ((s >> 1) ^ poly) : (s >> 1);
      columns[32*b +: 32] = s;
    end
  endfunction
  function automatic logic [31:0] leap(input logic [31:0] s, input logic [32*32-1:0] map);
    leap = '0;
    for (int b = 0; b < 32; b++) if (s[b]) leap = leap ^ map[32*b +: 32];
  endfunction
  localparam logic [32*32-1:0] Map = columns(Poly);
  localparam logic [31:0] Mix = 32'((64'(Lane) + 64'd1) * 64'h9e37_79b9);

  logic [31:0] state, seeded;
  assign seeded = seed_i ^ Mix;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) state <= leap(32'd1 ^ Mix, Map);
    else if (seed_valid_i) state <= leap((seeded == '0) ? '1 : seeded, Map);
    else if (draw_i) state <= leap(state, Map);
  end

  // The fraction that decides, in 25 bits: the upper bits of the draw, then a 1, then zeros.
  logic [24:0] fraction;
  always_comb begin
    case (rand_bits_i)
      2'd0:    fraction = {state[31:24], 1'b1, 16'd0};
      2'd1:    fraction = {state[31:20], 1'b1, 12'd0};
      2'd2:    fraction = {state[31:16], 1'b1, 8'd0};
      default: fraction = {state[31:8], 1'b1};
    endcase
  end

  logic signed [AccW-1:0] sum, quotient;
  logic [AccW-1:0]        rest, step, half, random;
  logic [AccW+24:0]       wide;
  logic                   up;
  assign sum = sum_i;
  assign quotient = sum >>> shift_i;
  assign rest = sum - (quotient <<< shift_i);       // 0 .. step - 1
  assign step = AccW'(1) << shift_i;
  assign half = step >> 1;
  assign wide = (AccW+25)'(fraction) << shift_i;
  assign random = wide[AccW+24:25];
  always_comb begin
    case (round_i)
      2'd0:    up = shift_i != '0 && (rest > half || (rest == half && quotient[0]));
      2'd2:    up = rest >= step - random;
      default: up = 1'b0;
    endcase
    z_o = quotient + AccW'(up);
    if (relu_i && z_o[AccW-1]) z_o = '0;
  end
endmodule
