// Walks the beats of a transfer that is split over the members of a group (docs/ioss/README.md, Work; docs/ioss/reference.md, Tile stream; Vector stream).
//
// With `first_i` the walk stands at member 0, beat 0; each `step_i` moves to the next beat. A chunk of `len_o` elements takes
// ceil(len * 2^ScaleLog2 / V) beats, V = values a beat. Outputs describe the beat the walk stands at; combinational from registers.
module ioss_chunk_walker #(
  parameter int ScaleLog2 = 0  // log2 of the values an element has: 0 for a vector, log2(Lanes) for a tile
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        first_i,
  input  logic        step_i,
  input  logic [15:0] k_len_i,
  input  logic [15:0] chunk_i,   // ceil(K / reduce factor)
  input  logic [2:0]  slices_i,
  output logic [2:0]  member_o,
  output logic [15:0] beat_o,    // within the chunk
  output logic [15:0] len_o,     // elements of this member's chunk
  output logic        last_o,    // the last beat of the whole transfer
  output logic [2:0]  next_member_o,  // after `step_i`
  output logic [15:0] next_beat_o
);
  logic [15:0] rest_d, rest_q;   // elements of this and the later members
  logic [2:0]  member_d, member_q;
  logic [15:0] beat_d, beat_q;
  logic [15:0] rest;
  logic        chunk_end;
  logic [24:0] values, values_seen;

  assign rest     = first_i ? k_len_i : rest_q;
  assign member_o = first_i ? 3'd0 : member_q;
  assign beat_o   = first_i ? 16'd0 : beat_q;
  assign len_o    = (rest < chunk_i) ? rest : chunk_i;

  assign values      = 25'(len_o) << ScaleLog2;
  assign values_seen = (25'(beat_o) + 25'd1) << ((slices_i == 3'd1) ? 5 : (slices_i == 3'd2) ? 4 : 3);
  assign chunk_end   = values_seen >= values;
  assign last_o      = chunk_end && (rest <= chunk_i);
  assign next_member_o = member_d;
  assign next_beat_o   = beat_d;

  always_comb begin
    rest_d   = rest;
    member_d = member_o;
    beat_d   = beat_o + 16'd1;
    if (chunk_end) begin
      rest_d   = rest - chunk_i;
      member_d = member_o + 3'd1;
      beat_d   = 16'd0;
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      rest_q   <= '0;
      member_q <= '0;
      beat_q   <= '0;
    end else if (step_i) begin
      rest_q   <= rest_d;
      member_q <= member_d;
      beat_q   <= beat_d;
    end
  end
endmodule
