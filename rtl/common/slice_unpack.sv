// Unpacks one 128-bit beat into sign-magnitude values and places them in a superword.
//
// A superword is BeatValues (32) values wide, the content of a beat at 4 bits. A beat of wider values fills V = 16 or 8 of the 32
// positions; the values are repeated over all positions and `we_o` (one bit per granule of 8 positions) selects those that belong to it.
// A granule is {signs, slice 3, slice 2, slice 1, slice 0} of its 8 positions, plane by plane, lowest position lowest: what reads one
// slice of every value takes one plane. Combinational. Packing and slices: docs/conventions.md.
module slice_unpack #(
  parameter int SwW = 2  // bits of the superword number
) (
  input  logic [trainslice_pkg::BeatW-1:0]      data_i,
  input  logic [2:0]                            slices_i,    // 1..4
  input  logic                                  unsigned_i,
  input  logic [15:0]                           beat_i,      // number of the beat within its chunk
  output logic [SwW-1:0]                        sw_o,        // superword that the beat belongs to
  output logic [trainslice_pkg::Groups-1:0]     we_o,
  output logic [trainslice_pkg::BeatValues*trainslice_pkg::ElemW-1:0] elem_o,  // four granules
  output logic [trainslice_pkg::BeatW-1:0]      nz_o         // plane i (32 bits): slice i of position p is not zero
);
  localparam int Values = trainslice_pkg::BeatValues;
  localparam int GroupValues = trainslice_pkg::GroupValues;
  localparam int Slices = trainslice_pkg::MaxSlices;
  localparam int MagW = trainslice_pkg::MagW;
  localparam int BeatW = trainslice_pkg::BeatW;
  localparam int SliceW = trainslice_pkg::SliceW;
  localparam int GranuleW = GroupValues * trainslice_pkg::ElemW;
  localparam int PlaneW = GroupValues * SliceW;
  localparam int NzW = GroupValues * Slices;

  assign sw_o = (slices_i == 3'd1) ? SwW'(beat_i) : (slices_i == 3'd2) ? SwW'(beat_i >> 1) : SwW'(beat_i >> 2);
  assign we_o = (slices_i == 3'd1) ? 4'b1111 :
      (slices_i == 3'd2) ? {{2{beat_i[0]}}, {2{!beat_i[0]}}} : 4'b0001 << beat_i[1:0];

  // {not-zero planes, granule} of the 8 values that precision `slices` puts at granule `g`.
  function automatic logic [NzW+GranuleW-1:0] granule(input logic [BeatW-1:0] data, input logic [2:0] slices,
                                                      input logic is_unsigned, input int g);
    logic [GranuleW-1:0] values;
    logic [NzW-1:0]      nz;
    logic [MagW-1:0]     mag;   // sign- or zero-extended to the widest operand, then its magnitude
    logic                neg;
    values = '0;
    nz     = '0;
    for (int p = 0; p < GroupValues; p++) begin
      case (slices)
        3'd1: begin
          mag = MagW'(data[PlaneW * g + 4 * p +: 4]);
          neg = !is_unsigned && mag[3];
          if (neg) mag = {12'd0, 4'(~mag[3:0] + 1'b1)};
        end
        3'd2: begin
          mag = MagW'(data[2 * PlaneW * (g % 2) + 8 * p +: 8]);
          neg = !is_unsigned && mag[7];
          if (neg) mag = {8'd0, 8'(~mag[7:0] + 1'b1)};
        end
        3'd3: begin
          mag = MagW'(data[16 * p +: 12]);
          neg = !is_unsigned && mag[11];
          if (neg) mag = {4'd0, 12'(~mag[11:0] + 1'b1)};
        end
        default: begin
          mag = data[16 * p +: 16];
          neg = !is_unsigned && mag[15];
          if (neg) mag = ~mag + 1'b1;
        end
      endcase
      for (int i = 0; i < Slices; i++) begin
        values[PlaneW * i + SliceW * p +: SliceW] = mag[SliceW * i +: SliceW];
        nz[GroupValues * i + p] = mag[SliceW * i +: SliceW] != '0;
      end
      values[PlaneW * Slices + p] = neg;
    end
    return {nz, values};
  endfunction

  logic [NzW+GranuleW-1:0] granule0, granule1, granule2, granule3;
  assign granule0 = granule(data_i, slices_i, unsigned_i, 0);
  assign granule1 = (slices_i > 3'd2) ? granule0 : granule(data_i, slices_i, unsigned_i, 1);
  assign granule2 = (slices_i != 3'd1) ? granule0 : granule(data_i, slices_i, unsigned_i, 2);
  assign granule3 = (slices_i != 3'd1) ? granule1 : granule(data_i, slices_i, unsigned_i, 3);

  assign elem_o = {granule3[GranuleW-1:0], granule2[GranuleW-1:0], granule1[GranuleW-1:0], granule0[GranuleW-1:0]};
  for (genvar i = 0; i < Slices; i++) begin : gen_nz
    assign nz_o[Values * i +: Values] = {
        granule3[GranuleW + GroupValues * i +: GroupValues], granule2[GranuleW + GroupValues * i +: GroupValues],
        granule1[GranuleW + GroupValues * i +: GroupValues], granule0[GranuleW + GroupValues * i +: GroupValues]};
  end
endmodule
