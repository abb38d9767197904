"""Functions of PyTorch that have no rule on purpose, by the reason. Underscores at the ends are left away."""

MAKE_DENSE_VALUES = {
    "smooth functions": """acos acosh angle arccos arccosh arcsin arcsinh arctan arctan2 arctanh asin asinh atan atan2
        atanh cos cosh deg2rad digamma erf erfc erfinv exp exp2 expm1 gelu glu hypot i0 igamma igammac lgamma log log10
        log1p log2 log_sigmoid log_softmax logaddexp logaddexp2 logcumsumexp logit logsumexp mish mvlgamma polar
        polygamma rad2deg reciprocal rsqrt selu sigmoid silu sin sinc sinh softmax softmin softplus softsign sqrt tan
        tanh tanhshrink xlogy frexp ldexp""",
    "torch.special": """special_airy_ai special_bessel_j0 special_bessel_j1 special_bessel_y0 special_bessel_y1
        special_chebyshev_polynomial_t special_chebyshev_polynomial_u special_chebyshev_polynomial_v
        special_chebyshev_polynomial_w special_digamma special_entr special_erf special_erfc special_erfcx
        special_erfinv special_exp2 special_expit special_expm1 special_gammainc special_gammaincc special_gammaln
        special_hermite_polynomial_h special_hermite_polynomial_he special_i0 special_i0e special_i1 special_i1e
        special_laguerre_polynomial_l special_legendre_polynomial_p special_log1p special_log_ndtr special_log_softmax
        special_logit special_logsumexp special_modified_bessel_i0 special_modified_bessel_i1
        special_modified_bessel_k0 special_modified_bessel_k1 special_multigammaln special_ndtr special_ndtri
        special_polygamma special_psi special_scaled_modified_bessel_k0 special_scaled_modified_bessel_k1
        special_shifted_chebyshev_polynomial_t special_shifted_chebyshev_polynomial_u
        special_shifted_chebyshev_polynomial_v special_shifted_chebyshev_polynomial_w special_sinc special_softmax
        special_spherical_bessel_j0 special_xlog1py special_xlogy special_zeta""",
    "a quotient by values": "rdiv rpow addcdiv",
    "values between two, or averaged with uneven shares": """lerp trapz trapezoid cumulative_trapezoid gradient
        affine_grid affine_grid_generator nextafter""",
    "normalisations": """batch_norm batch_norm_backward_elemt batch_norm_backward_reduce batch_norm_elemt
        batch_norm_gather_stats batch_norm_gather_stats_with_counts batch_norm_stats batch_norm_update_stats
        fused_rms_norm group_norm instance_norm layer_norm local_response_norm miopen_batch_norm native_batch_norm
        native_batch_norm_legit native_group_norm native_layer_norm normalize quantized_batch_norm renorm rms_norm
        norm_except_dim""",
    "moments, and norms that are roots": """corrcoef cov std std_mean var var_mean frobenius_norm nuclear_norm
        native_norm cosine_similarity pairwise_distance""",
    "losses": """binary_cross_entropy binary_cross_entropy_with_logits cosine_embedding_loss cross_entropy ctc_loss
        gaussian_nll_loss hinge_embedding_loss huber_loss kl_div l1_loss linear_cross_entropy margin_ranking_loss
        mse_loss multi_margin_loss multilabel_margin_loss multilabel_soft_margin_loss nll_loss poisson_nll_loss
        smooth_l1_loss soft_margin_loss triplet_margin_loss triplet_margin_with_distance_loss""",
    "named axes, which PyTorch gave up": "align_as align_to refine_names rename update_names",
    "linear algebra": """cholesky cholesky_inverse cholesky_solve det geqrf linalg_cholesky linalg_cholesky_ex
        linalg_cond linalg_det linalg_eig linalg_eigh linalg_eigvals linalg_eigvalsh linalg_householder_product
        linalg_inv linalg_inv_ex linalg_ldl_factor linalg_ldl_factor_ex linalg_ldl_solve linalg_lstsq linalg_lu
        linalg_lu_factor linalg_lu_factor_ex linalg_lu_solve linalg_matrix_exp linalg_matrix_power linalg_matrix_rank
        linalg_matrix_sqrth linalg_pinv linalg_polar linalg_qr linalg_slogdet linalg_solve linalg_solve_ex linalg_solve_triangular linalg_svd
        linalg_svdvals linalg_tensorinv linalg_tensorsolve linalg_vander lobpcg logdet lu lu_solve lu_unpack
        matrix_exp matrix_power orgqr ormqr pca_lowrank pinverse qr slogdet svd svd_lowrank triangular_solve inverse""",
    "spectra and complex numbers": """fft_fft fft_fft2 fft_fftn fft_hfft fft_hfft2 fft_hfftn fft_ifft fft_ifft2
        fft_ifftn fft_ihfft fft_ihfft2 fft_ihfftn fft_irfft fft_irfft2 fft_irfftn fft_rfft fft_rfft2 fft_rfftn stft
        istft complex cdouble cfloat chalf imag p:imag view_as_complex view_as_complex_copy view_as_real
        view_as_real_copy""",
    "histograms with weights and edges": "histogram histogramdd bincount",
    "noise": "normal rand uniform kaiming_uniform",
    "memory that is not written, or not of this tensor": """resize resize_as resize_as_sparse set sparse_resize
        sparse_resize_and_clear""",
    "bits of floating point numbers, shifted": "ilshift irshift lshift rlshift rrshift rshift bitwise_left_shift bitwise_right_shift",
}

MULTIPLY = {
    "products with weights: counted, or refused, by the witness below": """addr convolution conv_tbc embedding
        embedding_bag miopen_convolution miopen_convolution_add_relu miopen_convolution_relu
        miopen_convolution_transpose miopen_depthwise_convolution miopen_rnn hsmm saddmm smm sspaddmm
        quantized_gru_cell quantized_lstm_cell quantized_rnn_relu_cell quantized_rnn_tanh_cell
        fbgemm_linear_fp16_weight fbgemm_linear_fp16_weight_fp32_activation fbgemm_linear_int8_weight
        fbgemm_linear_int8_weight_fp32_activation fbgemm_linear_quantize_weight fbgemm_pack_gemm_matrix_fp16
        fbgemm_pack_quantized_matrix wrapped_linear_prepack wrapped_quantized_linear_prepacked""",
}

ARE_SEEN_ELSEWHERE = {
    "quantised values whose scales differ by channel, or are looked for": """choose_qparams_optimized fake_quantize_per_channel_affine fused_moving_avg_obs_fake_quant int_repr
        q_per_channel_axis q_per_channel_scales q_per_channel_zero_points q_scale q_zero_point qscheme
        quantize_per_channel quantized_max_pool1d
        quantized_max_pool3d rowwise_prune""",
    "parts of sparse tensors": """ccol_indices ccol_indices_copy col_indices col_indices_copy crow_indices crow_indices_copy indices indices_copy is_coalesced nnz row_indices
        row_indices_copy sparse_broadcast_to_copy sparse_dim dense_dim dimI dimV""",
    "sent between processes": """all_gather all_gather_coalesced all_gather_single all_reduce all_reduce_coalesced
        all_to_all all_to_all_single broadcast gather irecv isend recv reduce reduce_scatter reduce_scatter_single
        scatter send""",
    "other devices, wrappers and derivatives": """array_wrap fw_primal_copy make_dual_copy mtia ipu xpu neg_view_copy
        slice_inverse apply map map2 constant nested_tensor_size nested_tensor_storage_offsets nested_tensor_strides
        backward""",
}

GIVE_NO_FLOATING_POINT_NUMBERS = {
    "whole numbers and booleans need no note": """all allclose and any argmax argmin argsort argwhere bitwise_and
        bitwise_not bitwise_or bitwise_xor bool bucketize byte char count_nonzero equal gcd hash_tensor iand index
        int invert ior isclose isfinite isin isinf isnan isneginf isposinf isreal ixor lcm logical_and logical_not
        logical_or logical_xor long multinomial nonzero nonzero_static or ror rxor searchsorted short signbit
        unravel_index xor""",
    "what is asked of a tensor": """dim dim_order dlpack dlpack_device element_size get_device has_names is_complex
        is_conj is_contiguous is_distributed is_floating_point is_inference is_neg is_nonzero is_pinned is_same_size
        is_set_to is_shared is_signed is_view len ndimension nelement numel size storage_offset storage_type storage
        untyped_storage data_ptr const_data_ptr p:device p:dtype p:grad_dtype p:is_cpu p:is_cuda p:is_ipu p:is_leaf
        p:is_maia p:is_meta p:is_mkldnn p:is_mps p:is_mtia p:is_nested p:is_quantized p:is_sparse p:is_sparse_csr
        p:is_vulkan p:is_xla p:is_xpu p:itemsize p:layout p:name p:names p:nbytes p:ndim p:output_nr p:retains_grad
        p:shape p:volatile p:_base p:_cdata p:_version p:prop prop""",
    "numbers and objects of Python": """array contains float format item numpy repr tolist reversed reduce_ex
        setstate""",
    "autograd": """p:_backward_hooks p:_grad p:_grad_fn p:_post_accumulate_grad_hooks p:grad p:grad_fn
        register_hook register_post_accumulate_grad_hook retain_grad record_stream share_memory module_load
        clear_non_serializable_cached_data assert_async functional_assert_async""",
    "symbolic sizes": """sym_acos sym_asin sym_atan sym_cos sym_cosh sym_float sym_int sym_ite sym_max sym_min
        sym_not sym_sin sym_sinh sym_sqrt sym_sum sym_tan sym_tanh""",
}

DECIDED = {
    name
    for group in (
        MAKE_DENSE_VALUES,
        MULTIPLY,
        ARE_SEEN_ELSEWHERE,
        GIVE_NO_FLOATING_POINT_NUMBERS,
    )
    for names in group.values()
    for name in names.split()
}
