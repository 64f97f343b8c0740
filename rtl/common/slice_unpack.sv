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
  output logic [trainslice_pkg::BeatValues*trainslice_pkg::ElemW-1:0] elem_o,  // {sign, magnitude} by position
  output logic [trainslice_pkg::BeatW-1:0]      nz_o         // plane i (32 bits): slice i of position p is not zero
);
  localparam int Values = trainslice_pkg::BeatValues;
  localparam int MagW = trainslice_pkg::MagW;
  localparam int ElemW = trainslice_pkg::ElemW;
  localparam int BeatW = trainslice_pkg::BeatW;

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

  // Whole vectors are assigned once: partial assignments would wake every reader for each part in an event-driven simulator.
  always_comb begin : p_values
    logic [Values*ElemW-1:0] elem;
    logic [BeatW-1:0]        nz;
    logic [MagW-1:0]         raw;   // sign- or zero-extended to the widest operand
    logic [MagW-1:0]         mag;
    logic                    neg;
    elem = '0;
    nz   = '0;
    for (int p = 0; p < Values; p++) begin
      case (slices_i)
        3'd1: begin
          neg = !unsigned_i && data_i[4 * p + 3];
          raw = {{12{neg}}, data_i[4 * p +: 4]};
        end
        3'd2: begin
          neg = !unsigned_i && data_i[8 * (p % 16) + 7];
          raw = {{8{neg}}, data_i[8 * (p % 16) +: 8]};
        end
        3'd3: begin
          neg = !unsigned_i && data_i[16 * (p % 8) + 11];
          raw = {{4{neg}}, data_i[16 * (p % 8) +: 12]};
        end
        default: begin
          neg = !unsigned_i && data_i[16 * (p % 8) + 15];
          raw = data_i[16 * (p % 8) +: 16];
        end
      endcase
      mag = neg ? MagW'(~raw + 1'b1) : raw;
      elem[ElemW * p +: ElemW] = {neg, mag};
      for (int i = 0; i < trainslice_pkg::MaxSlices; i++) nz[Values * i + p] = mag[4 * i +: 4] != 4'd0;
    end
    elem_o = elem;
    nz_o   = nz;
  end
endmodule
