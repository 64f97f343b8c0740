// Unpacks one 128-bit beat into sign-magnitude values and places them in a superword.
//
// A superword is BeatValues (32) values wide, the content of a beat at 4 bits. A beat of wider values fills V = 16 or 8 of the 32
// positions; the values are repeated over all positions and `we_o` (one bit per group of 8 positions) selects those that belong to it.
// Combinational. Packing and slices: docs/conventions.md.
module slice_unpack #(
  parameter int SwW = 2  // bits of the superword number
) (
  input  logic [trainslice_pkg::BeatW-1:0]      data_i,
  input  logic [2:0]                            slices_i,    // 1..4
  input  logic                                  unsigned_i,
  input  logic [15:0]                           beat_i,      // number of the beat within its chunk
  output logic [SwW-1:0]                        sw_o,        // superword that the beat belongs to
  output logic [trainslice_pkg::Groups-1:0]     we_o,
  output logic [trainslice_pkg::BeatValues-1:0] sign_o,
  output logic [trainslice_pkg::BeatValues*trainslice_pkg::MagW-1:0] mag_o,
  output logic [trainslice_pkg::BeatW-1:0]      nz_o         // plane i (32 bits): slice i of position p is not zero
);
  localparam int Values = trainslice_pkg::BeatValues;
  localparam int MagW = trainslice_pkg::MagW;

  always_comb begin
    case (slices_i)
      3'd1: begin
        sw_o = SwW'(beat_i);
        we_o = 4'b1111;
      end
      3'd2: begin
        sw_o = SwW'(beat_i >> 1);
        we_o = beat_i[0] ? 4'b1100 : 4'b0011;
      end
      default: begin
        sw_o = SwW'(beat_i >> 2);
        we_o = 4'b0001 << beat_i[1:0];
      end
    endcase
  end

  for (genvar p = 0; p < Values; p++) begin : gen_value
    logic [MagW-1:0] raw;   // sign- or zero-extended to the widest operand
    logic            neg;
    assign neg = !unsigned_i && (
        (slices_i == 3'd1) ? data_i[4 * p + 3] :
        (slices_i == 3'd2) ? data_i[8 * (p % 16) + 7] :
        (slices_i == 3'd3) ? data_i[16 * (p % 8) + 11] : data_i[16 * (p % 8) + 15]);
    assign raw =
        (slices_i == 3'd1) ? {{12{neg}}, data_i[4 * p +: 4]} :
        (slices_i == 3'd2) ? {{8{neg}}, data_i[8 * (p % 16) +: 8]} :
        (slices_i == 3'd3) ? {{4{neg}}, data_i[16 * (p % 8) +: 12]} : data_i[16 * (p % 8) +: 16];
    assign sign_o[p] = neg;
    assign mag_o[MagW * p +: MagW] = neg ? MagW'(~raw + 1'b1) : raw;
    for (genvar i = 0; i < trainslice_pkg::MaxSlices; i++) begin : gen_nz
      assign nz_o[Values * i + p] = |mag_o[MagW * p + 4 * i +: 4];
    end
  end
endmodule
